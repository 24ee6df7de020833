"""Machines that share no disk share their answers through a bucket."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zipfile import ZipFile

import pytest

from aurora_prep.manifest import durable
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.run import run
from aurora_prep.providers.cache import Cache, bucket_of
from aurora_prep.providers.embedded.gcs import GcsEmulator
from aurora_prep.providers.shared_cache import SharedCache
from aurora_prep.sources.spec import FetchError, Request

from .conftest import RECIPE, tree

URL = "gs://data/cache/requests"
GRIB = b"GRIB" + bytes(2000) + b"7777"


def request_for(day: int) -> Request:
    return Request(
        source="era5",
        access="cds",
        dataset="reanalysis-era5-single-levels",
        body={"day": [f"{day:02d}"]},
        fields=(("surface/2t", None),),
        times=(datetime(2020, 1, day),),
    )


def answered(cache: Cache, day: int, content: bytes = GRIB) -> tuple[str, ...]:
    """References to the answer, as the machine that fetched it gives them on."""
    request = request_for(day)
    temporary = cache.temporary(request)
    temporary.write_bytes(content)
    found = cache.store(request, temporary)
    return tuple(cache.reference(member) for member in found.members)


def reads(gcs: GcsEmulator, name: str) -> int:
    return sum(
        e.method == "GET" and "/download/" in e.path and name in e.path for e in gcs.requests
    )


def test_what_one_machine_fetched_another_reads(gcs, tmp_path):
    here, there = (SharedCache.beside(tmp_path / name, URL) for name in ("here", "there"))
    references = answered(here, 1)
    assert all(ref.startswith(f"{URL}/") and ref.endswith(".grib") for ref in references)
    assert there.lookup(request_for(2)) is None
    known = there.lookup(request_for(1))
    assert tuple(there.reference(member) for member in known.members) == references
    assert reads(gcs, ".grib") == 0  # knowing is not copying
    with there.holding(references) as paths:
        assert [Path(path).read_bytes() for path in paths] == [GRIB]
        assert all(Path(path).is_relative_to(tmp_path / "there") for path in paths)
    with there.holding(references):
        pass
    assert reads(gcs, ".grib") == 1


@pytest.mark.usefixtures("gcs")
def test_a_zip_is_unpacked_where_it_is_read(tmp_path):
    here, there = (SharedCache.beside(tmp_path / name, URL) for name in ("here", "there"))
    archive = tmp_path / "answer.zip"
    with ZipFile(archive, "w") as zipped:
        zipped.writestr("one.grib", GRIB)
        zipped.writestr("two.grib", GRIB + GRIB)
    references = answered(here, 1, archive.read_bytes())
    assert len(references) == 2
    with there.holding(references) as paths:
        assert sorted(len(Path(path).read_bytes()) for path in paths) == [2008, 4016]


def test_many_shards_at_once_copy_an_answer_once(gcs, tmp_path):
    references = answered(SharedCache.beside(tmp_path / "here", URL), 1)
    there = SharedCache.beside(tmp_path / "there", URL)

    def use(_: int) -> bytes:
        with there.holding(references) as paths:
            return Path(paths[0]).read_bytes()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(use, range(32))) == {GRIB}
    assert reads(gcs, ".grib") == 1


@pytest.mark.usefixtures("gcs")
def test_a_machine_keeps_what_fits_and_what_is_in_use(tmp_path):
    here = SharedCache.beside(tmp_path / "here", URL)
    references = [answered(here, day)[0] for day in range(1, 9)]
    there = replace(SharedCache.beside(tmp_path / "there", URL), most_bytes=4 * len(GRIB))
    with there.holding(references[:6]) as paths:
        with there.holding(references[6:]):
            pass
        assert all(Path(path).read_bytes() == GRIB for path in paths)
    kept = list((tmp_path / "there").rglob("*.grib"))
    assert 0 < len(kept) <= 4
    with there.holding(references) as paths:
        assert all(Path(path).read_bytes() == GRIB for path in paths)


def test_an_answer_that_never_reached_the_bucket_is_put_there(gcs, tmp_path):
    here = SharedCache.beside(tmp_path / "here", URL)
    references = answered(Cache(tmp_path / "here"), 1)  # as if killed before the upload
    assert durable.tree(URL) == {}
    found = here.lookup(request_for(1))
    assert [str(member) for member in found.members] == list(references)
    assert len(durable.tree(URL)) == 2
    gcs.forget()
    here.lookup(request_for(1))
    assert gcs.requests == ()  # as cheap as a local cache from then on


def test_a_damaged_answer_is_never_used(gcs, tmp_path):
    references = answered(SharedCache.beside(tmp_path / "here", URL), 1)
    durable.put(references[0], GRIB.replace(b"\0", b"\1"))
    there = SharedCache.beside(tmp_path / "there", URL)
    with pytest.raises(FetchError, match="damaged"), there.holding(references):
        pass
    durable.delete(references[0].replace(".grib", ".json"))
    with pytest.raises(FetchError, match="not in the shared cache"), there.holding(references):
        pass
    assert gcs.faults.struck["corrupt"] == 0


def test_a_local_reference_stays_as_it_is(tmp_path):
    cache = Cache(tmp_path / "cache")
    references = answered(cache, 1)
    with cache.holding(references) as paths:
        assert paths == references
    assert Path(references[0]).read_bytes() == GRIB


def test_which_cache_a_choice_means(monkeypatch, tmp_path):
    monkeypatch.setenv("AURORA_PREP_LOCAL_CACHE", str(tmp_path))
    assert bucket_of("gs://bucket/cache/") == "gs://bucket/cache"
    assert Cache.open("gs://bucket/cache").root == tmp_path / "aurora-prep"
    assert bucket_of(str(tmp_path)) is None
    monkeypatch.setenv("AURORA_PREP_CACHE", "gs://other")
    assert bucket_of(None) == "gs://other"
    assert bucket_of(str(tmp_path)) is None


def test_a_run_with_its_cache_in_a_bucket_is_the_local_one(gcs, local, tmp_path, monkeypatch):
    out, _ = local
    for machine in ("one", "two"):
        monkeypatch.setenv("AURORA_PREP_LOCAL_CACHE", str(tmp_path / machine))
        recipe = Recipe.parse(RECIPE, output=f"gs://data/{machine}")
        run(recipe, embedded=True, cache="gs://data/cache", show=False)
        assert tree(gcs.folder / "data" / machine) == tree(out)
    uploads = [e for e in gcs.requests if e.method == "POST" and "out" not in e.path]
    answers = [p for p in (gcs.folder / "data/cache").rglob("*") if p.suffix == ".grib"]
    assert len(answers) == 2
    assert uploads
    for answer in answers:
        assert reads(gcs, answer.name) == 1  # the second machine asked the bucket
