"""Who may import whom."""

import ast
import graphlib
import re
import sys
import tomllib

import pytest

# A layer may import itself and these; ``pipelines`` and the front door may import all.
MAY_IMPORT = {
    "sources": (),
    "regridding": ("sources.spec", "compiled"),
    "normalisation": ("sources.spec", "compiled"),
    "providers": ("sources.spec",),
    "manifest": ("sources.spec", "normalisation", "providers.remote"),
}
# The embedded provider serves what the sources declare.
CATALOGUE_READERS = {"aurora_prep.providers.embedded.server"}
BEAM = {
    "aurora_prep.pipelines.dataset.create": {"xarray_beam"},
    "aurora_prep.pipelines.engines.beam_options": {"apache_beam"},
    "aurora_prep.pipelines.engines.choice": {"apache_beam"},
    "aurora_prep.pipelines.engines.dataflow": {"apache_beam"},
    "aurora_prep.pipelines.engines.processes": {"apache_beam"},
    "aurora_prep.pipelines.engines.quiet_worker": {"apache_beam"},
    "aurora_prep.pipelines.engines.worker": {"apache_beam"},
    "aurora_prep.pipelines.run.pipeline": {"apache_beam"},
    "aurora_prep.pipelines.run.run": {"apache_beam"},
    "aurora_prep.pipelines.run.transforms": {"apache_beam"},
}
# The rooms of ``pipelines`` in the order of a run: each may import itself and these.
ROOMS = {
    "recipe": (),
    "reading": ("recipe",),
    "plan": ("recipe", "reading"),
    "estimates": ("recipe", "reading", "plan"),
    "shard": ("recipe", "reading", "plan"),
    "dataset": ("recipe", "reading", "plan", "shard"),
    "engines": (),
    "run": ("recipe", "reading", "plan", "estimates", "shard", "dataset", "engines"),
    "commands": ("recipe", "reading", "plan", "estimates", "shard", "dataset", "engines", "run"),
}
AT_THE_ROOT = {"cli", "__main__", "__init__"}
# What a distribution is called where it is not called as its import.
DISTRIBUTIONS = {
    "apache_beam": "apache-beam",
    "PIL": "pillow",
    "ecmwf": "ecmwf-datastores-client",
    "ecmwfapi": "ecmwf-api-client",
    "google_crc32c": "google-crc32c",
    "xarray_beam": "xarray-beam",
    "yaml": "PyYAML",
}
# Needed without being imported: by ecCodes.
SILENT = {"eccodeslib"}
# Used where it happens to be installed.
OPTIONAL = {"aurora", "mir", "torch"}


def test_a_lower_layer_never_imports_a_higher_one(modules, targets):
    wrong = []
    for module in modules.values():
        allowed = MAY_IMPORT.get(module.layer)
        if allowed is None:
            continue
        prefixes = tuple(f"aurora_prep.{part}" for part in (module.layer, *allowed))
        for found in targets(module) - {"aurora_prep"}:
            if module.name in CATALOGUE_READERS and found == "aurora_prep.sources":
                continue
            if not any(found == p or found.startswith(f"{p}.") for p in prefixes):
                wrong.append(f"{module.name} imports {found}")
    assert wrong == []


def test_rooms_of_pipelines_look_forward_only(modules, targets):
    wrong = []
    for module in modules.values():
        parts = module.name.split(".")
        if module.layer != "pipelines" or len(parts) < 3 or parts[2] in AT_THE_ROOT:
            continue
        allowed = (parts[2], *ROOMS[parts[2]])
        for found in targets(module):
            room = (*found.split("."), "", "")[2]
            if found.startswith("aurora_prep.pipelines.") and room not in allowed:
                wrong.append(f"{module.name} imports {found}")
    assert wrong == []


def test_the_root_of_pipelines_holds_rooms_only(root):
    loose = {path.stem for path in (root / "pipelines").glob("*.py")}
    assert loose == AT_THE_ROOT
    rooms = {path.parent.name for path in (root / "pipelines").glob("*/__init__.py")}
    assert rooms == set(ROOMS)


def test_all_layers_are_seen(modules, layers):
    assert {module.layer for module in modules.values()} == {"", *layers}
    assert len(modules) > 60


def test_beam_stays_in_its_files(modules):
    wrong = []
    for module in modules.values():
        used = module.packages() & {"apache_beam", "xarray_beam"}
        if used - BEAM.get(module.name, set()):
            wrong.append(f"{module.name} imports {sorted(used)}")
    assert wrong == []
    assert set(BEAM) <= set(modules)


def test_kernels_know_no_xarray(modules):
    for module in modules.values():
        if module.layer in ("regridding", "sources"):
            assert "xarray" not in module.packages(), module.name


def test_sources_read_nothing(modules):
    """Declarations are values: no file, no network, no clock."""
    forbidden = {"os", "pathlib", "requests", "socket", "urllib", "subprocess", "time", "fsspec"}
    for module in modules.values():
        if module.layer == "sources":
            assert not forbidden & module.packages(), module.name


def test_no_module_imports_a_bare_layer(modules, layers):
    wrong = [
        f"{module.name} imports {sorted(bare)}"
        for module in modules.values()
        if (bare := module.packages() & set(layers))
    ]
    assert wrong == []


def test_modules_do_not_import_each_other_in_circles(modules, targets):
    """Imports inside functions and for type checkers count."""
    graph = {module.name: targets(module) - {"aurora_prep"} for module in modules.values()}
    try:
        tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_a_circle_would_be_seen():
    with pytest.raises(graphlib.CycleError):
        tuple(graphlib.TopologicalSorter({"a": {"b"}, "b": {"a"}}).static_order())


def test_every_library_we_import_is_declared(modules, root):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[\[<>=~! ]", entry)[0].lower() for entry in project["dependencies"]}
    imported = {package for module in modules.values() for package in module.packages()}
    imported -= {"aurora_prep", *sys.stdlib_module_names}
    used = {DISTRIBUTIONS.get(name, name).lower() for name in imported}
    assert used - declared - OPTIONAL == set()
    assert declared - used == SILENT


def test_every_module_says_what_it_is(modules):
    assert [name for name, module in modules.items() if not ast.get_docstring(module.tree)] == []
