"""What is synthetic says so: no rehearsal makes a dataset or a cache entry that passes for real."""

import json
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from aurora_prep import Manifest, Recipe, run, sources
from aurora_prep.pipelines.plan.recipe_plan import make_plan
from aurora_prep.providers import fetch, marks, whom
from aurora_prep.providers.cache import Cache
from aurora_prep.providers.credentials import Service, ServiceKind
from aurora_prep.providers.embedded import EmbeddedProvider
from aurora_prep.providers.retry import Policy
from aurora_prep.sources.spec import Cds, FetchError, Request, Zarr

PERIOD = {"start": "2020-01-01T00", "end": "2020-01-01T06", "step": "6h"}
ENTRY = {"source": "era5", "grid": "10", "period": PERIOD, "variables": ["2t"]}
PATIENCE = Policy(attempts=1, first_wait_seconds=0.01, deadline_seconds=2.0)


def recipe(**entry) -> dict:
    return {"name": "rehearsal", "sources": [{**ENTRY, **entry}]}


@pytest.fixture
def store(monkeypatch):
    """An embedded provider at the addresses that a user would set."""
    with EmbeddedProvider() as provider:
        monkeypatch.setenv("CDSAPI_URL", provider.url)
        monkeypatch.setenv("CDSAPI_KEY", provider.key)
        yield provider


def says_synthetic(root: Path) -> bool:
    with Manifest.open(root) as manifest:
        rows = manifest.summary().to_pylist()
    document = json.loads((root / "dataset.json").read_bytes())
    said = {bool(row["synthetic"]) for row in rows} | {bool(document["synthetic"])}
    assert len(said) == 1
    return said.pop()


@pytest.mark.parametrize("data_format", ["grib", "netcdf"])
def test_the_documented_rehearsal_makes_what_says_so(tmp_path, store, data_format):
    made = Recipe.parse(recipe(data_format=data_format), output=tmp_path / "out")
    assert run(made, cache=tmp_path / "cache", show=False).absent == 0
    assert says_synthetic(tmp_path / "out")
    assert store.downloads > 0
    cache = Cache(tmp_path / "cache" / "requests")
    plan = make_plan(made, tmp_path / "contents").sources[0]
    real, made_up = (list(plan.requests(synthetic=synthetic)) for synthetic in (False, True))
    assert all(cache.lookup(request) is None for request in real)
    answers = [cache.lookup(request) for request in made_up]
    assert all(marks.is_synthetic(path) for answer in answers for path in answer.members)


def test_what_a_rehearsal_left_in_a_cache_feeds_no_real_run(tmp_path, store, monkeypatch):
    made = Recipe.parse(recipe(), output=tmp_path / "one")
    run(made, cache=tmp_path / "cache", show=False)
    monkeypatch.setenv("CDSAPI_URL", "http://127.0.0.1:9/api")
    asked = make_plan(made, tmp_path / "contents").sources[0].requests(synthetic=False)
    # The very files, under the names that the real answers would have.
    held = Cache(tmp_path / "cache" / "requests")
    (answer,) = (
        held.lookup(request)
        for request in make_plan(made, tmp_path / "contents").sources[0].requests(synthetic=True)
    )
    for request in asked:
        copy = tmp_path / "copy.grib"
        shutil.copyfile(answer.path, copy)
        held.store(request, copy)
        assert held.lookup(request) is not None
        refused = Service(ServiceKind.CDS, "http://127.0.0.1:9/api", store.key)
        with pytest.raises(FetchError):
            fetch.Fetcher(held, refused, policy=PATIENCE).fetch(request)
        assert held.lookup(request) is None


def test_a_real_run_refuses_answers_that_carry_the_mark(tmp_path, store):
    plan = make_plan(Recipe.parse(recipe(), output="x"), tmp_path).sources[0]
    (request,) = plan.requests(synthetic=False)
    fetcher = fetch.Fetcher(Cache(tmp_path), Service(ServiceKind.CDS, store.url, store.key))
    with pytest.raises(FetchError, match="synthetic"):
        fetcher.fetch(request)
    assert fetcher.cache.lookup(request) is None


def test_a_rehearsal_refuses_answers_that_do_not(tmp_path, store, monkeypatch):
    monkeypatch.setattr("aurora_prep.providers.embedded.grib.MARK", {1: {}, 2: {}})
    plan = make_plan(Recipe.parse(recipe(), output="x"), tmp_path).sources[0]
    (request,) = plan.requests(synthetic=True)
    fetcher = fetch.Fetcher(Cache(tmp_path), Service.embedded(store.url, store.key))
    with pytest.raises(FetchError, match="not marked synthetic"):
        fetcher.fetch(request)


@pytest.mark.parametrize("edition", [1, 2])
@pytest.mark.parametrize("data_format", ["grib", "netcdf"])
def test_ones_own_files_of_a_rehearsal_make_a_synthetic_dataset(tmp_path, edition, data_format):
    with EmbeddedProvider(edition=edition) as provider:
        plan = make_plan(
            Recipe.parse(recipe(data_format=data_format), output="x"), tmp_path / "x"
        ).sources[0]
        (request,) = plan.requests(synthetic=True)
        service = Service.embedded(provider.url, provider.key)
        answer = fetch.Fetcher(Cache(tmp_path / "requests"), service).fetch(request)
    (tmp_path / "data").mkdir()
    for member in answer.members:
        shutil.copyfile(member, tmp_path / "data" / f"own{member.suffix}")
    entry = {"source": "era5", "access": "files", "path": "data/*", "grid": "10"}
    own = {"name": "own", "sources": [{**entry, "variables": ["2t"]}]}
    made = Recipe.parse(own, base=tmp_path, output=tmp_path / "out")
    assert run(made, cache=tmp_path / "cache", show=False).absent == 0
    assert says_synthetic(tmp_path / "out")


def test_a_file_of_which_one_message_is_synthetic_is_synthetic(tmp_path):
    import eccodes  # noqa: PLC0415  # after aurora_prep, which imports pyproj first

    handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib1")
    plain = eccodes.codes_get_message(handle)
    eccodes.codes_set(handle, "subCentre", marks.GRIB1_SUBCENTRE)
    marked = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    for parts, says in (([plain, plain], False), ([plain, marked], True), ([marked, plain], True)):
        path = tmp_path / "x.grib"
        path.write_bytes(b"".join(parts))
        assert marks.is_synthetic(path) is says


@pytest.mark.usefixtures("store")
def test_real_and_synthetic_servers_are_not_mixed(tmp_path, monkeypatch):
    monkeypatch.setenv("ADSAPI_URL", "http://127.0.0.1:9/api")
    cams = {"source": "cams_analysis", "grid": "10", "variables": ["pm1"]}
    period = {"start": "2022-01-01T00", "end": "2022-01-01T12", "step": "12h"}
    both = recipe()
    both["sources"].append({**cams, "period": period})
    with pytest.raises(FetchError, match="some of the data would be synthetic"):
        run(Recipe.parse(both, output=tmp_path / "out"), cache=tmp_path / "c", show=False)
    assert not (tmp_path / "out").exists()


def test_a_server_of_ones_own_has_names_of_its_own_in_the_cache(monkeypatch):
    common = {
        "source": "era5", "access": "cds", "dataset": "d", "body": {"a": "b"},
        "times": (datetime(2020, 1, 1),), "fields": (("surface/2t", None),),
    }  # fmt: skip
    request = Request(**common)
    assert replace(request, server="https://mirror.example/api").digest != request.digest
    assert replace(request, server="").digest == request.digest
    assert Request(**common, synthetic=True).digest != request.digest
    access = Cds(name="cds", collections=sources.load("era5").access("cds").collections)
    monkeypatch.setenv("CDSAPI_KEY", "secret")
    for url, server in (
        ("https://cds.climate.copernicus.eu/api", ""),
        ("https://CDS.climate.copernicus.eu/api/", ""),
        ("https://user:secret@mirror.example/api?key=secret", "https://mirror.example/api"),
        ("http://localhost:1/api", "http://localhost:1/api"),
    ):
        monkeypatch.setenv("CDSAPI_URL", url)
        assert whom.server_of(access) == server
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:8766")
    assert whom.server_of(Zarr(stores=())) == "http://127.0.0.1:8766"


def test_the_embedded_provider_is_known_by_its_answers(store):
    assert whom.is_embedded(store.url)
    assert whom.is_embedded(store.base)
    assert whom.is_embedded(store.buckets)
    assert not whom.is_embedded("http://127.0.0.1:9")
    assert not whom.is_embedded("")


def test_a_store_that_says_so_is_synthetic(tmp_path):
    for name, document, says in (
        (".zattrs", {"synthetic": "yes"}, True),
        ("zarr.json", {"attributes": {"synthetic": 1}}, True),
        ("zarr.json", {"attributes": {"synthetic": 0}}, False),
        ("zarr.json", [], False),
    ):
        folder = tmp_path / "store.zarr"
        folder.mkdir()
        (folder / name).write_text(json.dumps(document), encoding="utf-8")
        assert marks.is_synthetic_store(folder) is says
        shutil.rmtree(folder)


def test_no_real_file_carries_the_mark(real_data):
    files = [path for path in real_data.rglob("*") if path.suffix in (".grib", ".grib2", ".nc")]
    assert files
    assert [path for path in files if marks.is_synthetic(path)] == []
