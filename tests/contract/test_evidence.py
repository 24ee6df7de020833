"""What public sources show of the real providers, against our client and our imitation alike."""

import json
import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import requests
import yaml

from aurora_prep import sources
from aurora_prep.providers.embedded import ALWAYS, EmbeddedProvider
from aurora_prep.providers.embedded.costing import cost_of
from aurora_prep.providers.embedded.mars_shelf import shelves
from aurora_prep.providers.embedded.weatherbench import VirtualStore
from aurora_prep.providers.mars_signs import reaction_to
from aurora_prep.sources import spec
from aurora_prep.sources.spec.wmo import ALTERNATES, CONVERSIONS

FOLDER = Path(__file__).with_name("evidence")
STORES, ARCHIVE, PLACES = (
    yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    for name in ("stores", "archive", "places")
)
DATASET = "reanalysis-era5-single-levels"
INPUTS = {
    "product_type": ["reanalysis"], "variable": ["2m_temperature"], "year": ["2020"],
    "month": ["01"], "day": ["01"], "time": ["00:00"], "data_format": "grib",
    "download_format": "unarchived", "area": [10, 0, 0, 10],
}  # fmt: skip
ASKED = {
    "class": "od", "stream": "oper", "expver": "1", "type": "an", "levtype": "sfc",
    "param": "167.128", "date": "2020-03-01", "time": "00", "grid": "10/10", "expect": "any",
}  # fmt: skip


def entries(node):
    """Every entry that states a fact."""
    if isinstance(node, dict):
        if "source" in node:
            yield node
        for value in node.values():
            yield from entries(value)
    elif isinstance(node, list):
        for value in node:
            yield from entries(value)


def test_every_entry_says_where_it_is_from_when_and_how_sure_it_is():
    found = [entry for page in (STORES, ARCHIVE, PLACES) for entry in entries(page)]
    assert len(found) >= 18
    for entry in found:
        assert entry["date"].year >= 2025
        assert str(entry["sure"])[0] in "ABC"


def submit(provider, dataset=DATASET, inputs=INPUTS):
    return requests.post(
        f"{provider.url}/retrieve/v1/processes/{dataset}/execution",
        json={"inputs": inputs}, headers={"PRIVATE-TOKEN": provider.key}, timeout=20,
    )  # fmt: skip


def test_a_submission_is_answered_as_the_stores_do():
    shape = STORES["submission"]
    with EmbeddedProvider() as provider:
        answer = submit(provider)
    body = answer.json()
    assert answer.status_code == shape["status"]
    assert set(shape["keys"]) <= set(body)
    assert not set(shape["absent"]) & set(body)
    assert {key: body[key] for key in shape["values"]} == shape["values"]
    assert [link["rel"] for link in body["links"]] == shape["links"]


@pytest.mark.parametrize("case", STORES["refusals"], ids=lambda case: case["fault"])
def test_refusals_of_the_stores_are_those_of_the_stores(case):
    with EmbeddedProvider(faults={case["fault"]: ALWAYS}) as provider:
        answer = submit(provider)
    assert (answer.status_code, answer.json()["title"]) == (case["status"], case["title"])
    assert case["contains"] in answer.json()["detail"]


@pytest.mark.parametrize("case", STORES["costs"], ids=lambda case: str(case["cost"]))
def test_costs_are_those_that_the_stores_told(case):
    """The imitation counts so, and the planner declares the same limit and weight."""
    assert cost_of(case["dataset"], case["inputs"]) == case["cost"]
    declared = {
        collection.dataset: collection
        for name in sources.names()
        for access in sources.load(name).accesses
        if isinstance(access, spec.Cds)
        for collection in access.collections
    }[case["dataset"]]
    assert declared.limit == case["limit"]


def test_a_request_above_the_limit_is_refused_in_the_store_s_words():
    told = STORES["too_large"]
    many = {**INPUTS, "year": [str(year) for year in range(1950, 2020)],
            "month": [f"{m:02d}" for m in range(1, 13)], "day": [f"{d:02d}" for d in range(1, 29)],
            "time": [f"{h:02d}:00" for h in range(24)]}  # fmt: skip
    with EmbeddedProvider() as provider:
        answer = submit(provider, inputs=many)
    body = answer.json()
    assert (answer.status_code, body["title"], body["detail"]) == (
        told["status"], told["title"], told["detail"],
    )  # fmt: skip


def ask_archive(provider, body):
    """Submit to the archive and follow it to its end."""
    headers = {"X-ECMWF-KEY": provider.key}
    base = f"{provider.base}/v1"
    service = requests.get(f"{base}/services/mars/info", headers=headers, timeout=20)
    if "error" in service.json():
        return service
    answer = requests.post(
        f"{base}/services/mars/requests", json=body, headers=headers, timeout=20,
        allow_redirects=False,
    )  # fmt: skip
    while answer.status_code == 202:
        answer = requests.get(
            answer.headers["Location"], headers=headers, timeout=20, allow_redirects=False
        )
    return answer


@pytest.mark.parametrize("case", ARCHIVE["texts"], ids=lambda case: case["fault"])
def test_texts_of_the_archive_are_said_and_understood(case):
    """The imitation says them by itself, and the client's table has a row for each."""
    with EmbeddedProvider(gaussian_lines=8, faults={case["fault"]: ALWAYS}) as provider:
        answer = ask_archive(provider, ASKED)
    said = answer.json()["error"]
    assert case["text"] in said
    kinds = frozenset({"APIException", "Exception"})
    wanted = getattr(spec, case["error"])
    assert reaction_to(kinds, f"ecmwf.API error 1: {said}", answer.status_code).error is wanted


def test_the_cost_of_a_request_is_told_without_making_it():
    case = ARCHIVE["cost"]
    with EmbeddedProvider() as provider:
        answer = ask_archive(provider, case["body"])
        text = requests.get(answer.json()["href"], timeout=20).text
    found = re.search(case["pattern"], text)
    assert found
    assert int(found[1]) == case["fields"]
    assert int(found[2]) > 0


def test_streams_of_the_archive_end_when_they_did():
    case = ARCHIVE["streams"]
    held = shelves([sources.load("hres_t0")])
    branches = sources.load("hres_t0").access("mars").branches
    for when in ("before", "after"):
        time = datetime.fromisoformat(case[when]["time"])
        for stream in ("scda", "oper"):
            assert held[f"od/{stream}/fc"].holds(time) == bool(case[when][stream])
            asked = [b for b in branches if b.place == f"od/{stream}/fc" and b.holds(time)]
            assert bool(asked) == bool(case[when][stream])


def test_ncar_s_files_lie_where_public_programs_find_them():
    case = PLACES["ncar"]
    tree = sources.load("hres_analysis").access("http")
    assert list(tree.addresses) == [case["first"], *case["others"]]
    with EmbeddedProvider(gaussian_lines=8) as provider:
        for address, status in (
            (case["old"], 404), (case["first"], 200), *((other, 200) for other in case["others"]),
        ):  # fmt: skip
            place = address.partition("://")[2]
            found = requests.head(
                f"{provider.base}/files/{place}/{case['file']}", timeout=60, allow_redirects=True
            )
            assert found.status_code == status, address


def test_the_store_of_era5_says_of_itself_what_the_real_one_says():
    case = PLACES["arco"]
    url = sources.load("era5").access("zarr").stores[1].url.removeprefix("gs://")
    with EmbeddedProvider() as provider:
        attributes = requests.get(f"{provider.buckets}/{url}/.zattrs", timeout=20)
        if attributes.status_code != 200:  # the emulator has the JSON paths of the real one too
            bucket, _, path = url.partition("/")
            place = requests.utils.quote(f"{path}/.zattrs", safe="")
            attributes = requests.get(
                f"{provider.buckets}/storage/v1/b/{bucket}/o/{place}?alt=media", timeout=20
            )
    assert set(case["attributes"]) <= set(json.loads(attributes.content))
    padded = sources.load("era5").access("zarr").stores[1].padded
    assert padded[1] == datetime.fromisoformat(case["axis_ends"])


def test_ecmwf_s_own_stores_are_declared_as_its_notebooks_print_them():
    case = PLACES["ecmwf"]
    access = sources.load("era5").access("ecmwf_zarr")
    (store,) = access.stores
    assert store.urls == (case["upper"], case["surface"])
    assert access.key_of == "cds"
    for name, held in ((n, True) for n in case["held"]):
        assert (f"surface/{name}" not in store.lacks) is held
    assert {f"surface/{name}" for name in case["lacking"]} <= set(store.lacks)
    virtual = VirtualStore(sources.load("era5"), access, store, datetime(2026, 7, 1))
    for axis in ("latitude", "longitude"):
        values = virtual.arrays[axis].values
        assert [values[0], values[-1]] == case[axis]
    assert (np.diff(virtual.arrays["pressureLevel"].values) < 0).all() == case["levels_fall"]


def test_units_to_come_are_those_of_the_parameter_database():
    for number, name, units, factor in PLACES["units"]["rows"]:
        ours, how = ALTERNATES[number]
        assert how == (units, factor)
        assert sources.load("era5").native(f"surface/{name}").variable.param == ours
        assert CONVERSIONS[ours] == how


def test_known_holes_are_told_before_a_run():
    case = PLACES["weatherbench"]
    name, level = case["holes"]
    quirks = " ".join(map(str, sources.load(case["source_name"]).quirks))
    assert f"geopotential at {level} hPa" in quirks
    assert "fill_holes" in quirks
    assert name in quirks
