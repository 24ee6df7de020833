"""The embedded file tree: names, contents, ranges, and what is not there."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from aurora_prep import sources
from aurora_prep.providers.embedded.tree import _expression

import eccodes  # isort: skip  # after aurora_prep, which imports pyproj first

SURFACE = "ec.oper.an.sfc/202003/ec.oper.an.sfc.128_167_2t.regn1280sc.20200301.grb"
WIND = "ec.oper.an.pl/202003/ec.oper.an.pl.128_131_u.regn1280uv.2020030106.grb"


@pytest.fixture
def tree(start):
    provider = start(gaussian_lines=16)
    return provider, f"{provider.base}/files/d113001"


def get(url, method="GET", **headers):
    return requests.request(method, url, headers=headers, timeout=30)


def messages(content, tmp_path):
    path = tmp_path / "file.grb"
    path.write_bytes(content)
    names = ("paramId", "level", "dataDate", "dataTime", "gridType", "N", "type", "stream")
    found = []
    with path.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            found.append(tuple(eccodes.codes_get(handle, name) for name in names))
            eccodes.codes_release(handle)
    return found


def test_a_surface_file_holds_the_four_times_of_a_day(tree, tmp_path):
    found = messages(get(f"{tree[1]}/{SURFACE}").content, tmp_path)
    grid = ("regular_gg", 16, "an", "oper")
    assert found == [(167, 0, 20200301, time, *grid) for time in (0, 600, 1200, 1800)]


def test_a_file_on_levels_holds_one_time_and_every_level(tree, tmp_path):
    found = messages(get(f"{tree[1]}/{WIND}").content, tmp_path)
    levels = sources.load("hres_analysis").levels
    assert [(number, level) for number, level, *_ in found] == [(131, level) for level in levels]
    assert {(day, time) for _, _, day, time, *_ in found} == {(20200301, 600)}


@pytest.mark.parametrize(
    "path",
    [
        SURFACE.replace("128_167", "128_168"),
        SURFACE.replace("202003/", "202004/"),
        SURFACE.replace("20200301", "20200332"),
        SURFACE.replace("20200301", "20151231"),
        SURFACE.replace("202003/", "203503/").replace("20200301", "20350301"),
        SURFACE.replace("regn1280sc", "regn1280uv"),
        WIND.replace("regn1280uv", "regn1280sc"),
        WIND.replace("2020030106", "2020030103"),
        WIND.replace("2020030106", "20200301"),
        "ec.oper.an.sfc/",
        "",
    ],
)
def test_no_other_file_is_there(path, tree):
    assert get(f"{tree[1]}/{path}").status_code == 404


def test_another_collection_is_not_there(tree):
    assert get(f"{tree[0].base}/files/d084001/{SURFACE}").status_code == 404


def test_parts_belong_to_one_state_of_the_file(tree):
    url = f"{tree[1]}/{SURFACE}"
    whole = get(url)
    tag = whole.headers["ETag"]
    assert get(url, "HEAD").headers["Content-Length"] == str(len(whole.content))
    part = get(url, Range="bytes=100-199")
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    same = get(url, Range="bytes=100-", **{"If-Range": tag})
    assert (same.status_code, same.content) == (206, whole.content[100:])
    other = get(url, Range="bytes=100-", **{"If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, whole.content)


def test_nothing_is_taken_only_given(tree):
    assert get(f"{tree[1]}/{SURFACE}", "POST").status_code == 405


def test_a_file_is_made_once_for_all_who_ask(tree):
    url = f"{tree[1]}/{WIND}"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: get(url), range(8)))
    assert len({answer.content for answer in answers}) == 1
    assert len({answer.headers["ETag"] for answer in answers}) == 1


def test_a_pattern_finds_the_time_in_a_name_and_no_other_letters():
    expression = _expression("a.b/{time:%Y%m}/{name}.{number:03d}.{time:%Y%m%d}.grb")
    assert expression == (r"a\.b/(?P<Y>\d{4})(?P<m>\d{2})/\w+\.\w+\.(?P=Y)(?P=m)(?P<d>\d{2})\.grb")
