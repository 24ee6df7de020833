"""The STAC collection of a dataset: pystac reads and validates it, and it says what is there."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import pystac
import pytest
import xarray as xr
from pystac.extensions.datacube import DatacubeExtension
from pystac.validation import validate_dict

from aurora_prep.manifest import Manifest
from aurora_prep.pipelines.dataset import datacube, stac
from aurora_prep.pipelines.dataset.original_plan import Replanned, replan
from aurora_prep.sources.spec import Grid

from .conftest import Families


@pytest.fixture(scope="module")
def collection(families: Families) -> pystac.Collection:
    return pystac.Collection.from_file(str(families.root / "collection.json"))


@pytest.fixture(scope="module")
def replanned(families: Families) -> Replanned:
    return replan(str(families.root))


@pytest.fixture(scope="module")
def totals(families: Families) -> dict:
    with Manifest.open(str(families.root)) as manifest:
        rows = manifest.summary().to_pylist()
    return {f"{row['source']}-{row['grid']}": row for row in rows}


def test_the_schema_of_stac_has_no_objection(families: Families) -> None:
    """STAC's own schema comes with pystac; that of the datacube extension would be fetched."""
    document = json.loads((families.root / "collection.json").read_text())
    assert validate_dict(document, extensions=[])
    with pytest.raises(pystac.STACValidationError):
        validate_dict({**document, "extent": {}}, extensions=[])


def test_it_is_synthetic_and_says_so_everywhere(collection: pystac.Collection) -> None:
    assert collection.title.startswith("SYNTHETIC")
    assert collection.description.startswith("SYNTHETIC")
    assert "synthetic" in collection.keywords
    assert collection.license == "other"
    assert collection.extra_fields["aurora_prep:synthetic"] is True
    producer, processor = collection.providers
    assert producer.description.startswith("SYNTHETIC")
    assert [str(role) for role in processor.roles] == ["processor"]
    for name, asset in collection.assets.items():
        if "data" in asset.roles:
            assert asset.extra_fields["aurora_prep:attribution"].startswith("SYNTHETIC"), name


def test_every_asset_is_there(families: Families, collection: pystac.Collection) -> None:
    stores = {"era5-10", "cams_analysis-10", "era5_wave-10", "cams_forecast-15", "static-10"}
    assert {n for n, asset in collection.assets.items() if "data" in asset.roles} == stores
    assert len([n for n in collection.assets if n.startswith("statistics-")]) == 8
    for asset in collection.assets.values():
        assert (families.root / asset.href).exists(), asset.href
        assert asset.media_type
        assert asset.title


def test_times_frames_and_the_recipe_are_those_of_the_manifest(
    collection: pystac.Collection, families: Families, totals: dict
) -> None:
    (first, last), *each = collection.extent.temporal.intervals
    spans = [(row["first"], row["last"]) for row in totals.values()]
    assert (first, last) == (
        min(start for start, _ in spans).replace(tzinfo=UTC),
        max(end for _, end in spans).replace(tzinfo=UTC),
    )
    assert sorted(tuple(span) for span in each) == sorted(
        (start.replace(tzinfo=UTC), end.replace(tzinfo=UTC)) for start, end in spans
    )
    for name in ("frames", "written", "missing", "rejected"):
        counted = collection.extra_fields["aurora_prep:frames"][name]
        assert counted == sum(row[name] for row in totals.values())
    assert collection.extra_fields["aurora_prep:recipe_digest"] == families.recipe.digest
    assert collection.extent.spatial.bboxes == [[-180.0, -90.0, 180.0, 90.0]]


def test_the_cube_of_every_store_is_that_of_the_store(
    families: Families, collection: pystac.Collection
) -> None:
    for name, asset in collection.assets.items():
        if "data" not in asset.roles:
            continue
        cube = DatacubeExtension.ext(asset)
        with xr.open_zarr(families.root / asset.href, decode_timedelta=False) as stored:
            assert set(cube.variables) == set(stored.data_vars), name
            for short_name, variable in cube.variables.items():
                assert variable.dimensions == list(stored[short_name].dims)
                assert variable.unit == stored[short_name].attrs["units"]
                assert variable.description == stored[short_name].attrs["long_name"]
            assert set(cube.dimensions) == set(stored.dims)
            for dimension, told in cube.dimensions.items():
                values = stored[dimension].values
                said = told.to_dict()
                if "values" in said:
                    assert said["values"] == values.tolist()
                elif said["type"] == "temporal":
                    ends = [datetime.fromisoformat(end) for end in said["extent"]]
                    found = [str(values[i].astype("datetime64[s]")) for i in (0, -1)]
                    assert [end.replace(tzinfo=None).isoformat() for end in ends] == found
                else:
                    assert said["extent"] == sorted([float(values[0]), float(values[-1])])
                    assert said["step"] == float(values[1] - values[0])


def test_the_collection_holds_what_the_stores_hold(
    collection: pystac.Collection, replanned: Replanned
) -> None:
    cube = DatacubeExtension.ext(collection)
    assert set(cube.dimensions) == {
        "time", "init_time", "lead_time", "level", "latitude", "longitude",
    }  # fmt: skip
    assert set(cube.variables) == {
        variable.short_name for entry in replanned.plan.sources for variable in entry.variables
    }
    assert cube.dimensions["level"].to_dict()["values"] == [500, 850]


def test_the_same_dataset_gives_the_same_bytes(
    families: Families, replanned: Replanned, totals: dict
) -> None:
    written = (families.root / "collection.json").read_bytes()
    created = datetime.fromisoformat(json.loads(written)["created"]).replace(tzinfo=None)
    context = replace(replanned.context, created=created)
    made = stac.collection(replanned.plan, context, totals)
    document = made.to_dict(include_self_link=False, transform_hrefs=False)
    assert json.dumps(document, indent=1, ensure_ascii=False) + "\n" == written.decode()


def test_what_is_not_synthetic_has_licence_and_attribution(
    replanned: Replanned, totals: dict
) -> None:
    context = replace(replanned.context, synthetic=False)
    made = stac.collection(replanned.plan, context, totals)
    assert made.license == "CC-BY-4.0"
    (link,) = made.get_links("license")
    assert link.href == "https://creativecommons.org/licenses/by/4.0/"
    names = [provider.name for provider in made.providers]
    assert names == [
        "Copernicus Climate Change Service",
        "Copernicus Atmosphere Monitoring Service",
        "aurora-prep",
    ]
    assert "CC-BY-4.0" in made.providers[0].description
    assert "synthetic" not in made.keywords
    asset = made.assets["era5-10"].extra_fields
    assert asset["license"] == "CC-BY-4.0"
    assert "Copernicus Climate Change Service" in asset["aurora_prep:attribution"]


@pytest.mark.parametrize(
    ("west", "columns", "expected"),
    [
        ("0", 36, [-180.0, -30.0, 180.0, 60.0]),
        ("10", 4, [10.0, -30.0, 40.0, 60.0]),
        ("350", 4, [-10.0, -30.0, 20.0, 60.0]),
        ("170", 4, [170.0, -30.0, -160.0, 60.0]),
    ],
)
def test_boxes_run_from_minus_180_to_180_degrees(west, columns, expected) -> None:
    grid = Grid(Fraction(10), Fraction(10), Fraction(60), Fraction(west), 10, columns)
    assert stac.box_of(grid) == expected


def test_dimensions_that_differ_are_told_together() -> None:
    times = {"type": "temporal", "extent": ["2020", "2021"], "step": "PT6H"}
    later = {"type": "temporal", "extent": ["2019", "2020"], "step": "PT12H"}
    assert datacube.merged(times, later) == {
        "type": "temporal",
        "extent": ["2019", "2021"],
        "step": None,
    }
    levels = {"type": "spatial", "axis": "z", "unit": "hPa"}
    some, other = {**levels, "values": [500]}, {**levels, "values": [50, 500]}
    assert datacube.merged(some, other) == {**levels, "values": [50, 500]}
    assert datacube.merged(None, some) == some
