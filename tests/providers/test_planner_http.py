"""Requests for files of NCAR's tree: each file that is needed, once."""

from collections import Counter
from datetime import datetime, timedelta

import pytest

from aurora_prep import sources
from aurora_prep.providers.planner import plan_requests
from aurora_prep.sources.spec import HOUR, Levels, SpecError, Timeline

SOURCE = sources.load("hres_analysis")
RDA = SOURCE.access("http")
PATHS = [native.variable.path for native in SOURCE.delivered(RDA) if not native.optional]


def plan(start, end, paths=PATHS, levels=SOURCE.levels, step=SOURCE.cadence, **options):
    return list(plan_requests(SOURCE, RDA, Timeline(start, end, step), paths, levels, **options))


def test_files_are_named_as_the_tree_names_them():
    """Names as the published example of Aurora at 0.1 degrees downloads them."""
    requests = plan(datetime(2022, 5, 11, 6), datetime(2022, 5, 11, 6))
    surface, levels = "ec.oper.an.sfc/202205/ec.oper.an.sfc", "ec.oper.an.pl/202205/ec.oper.an.pl"
    assert Counter(request.body["file"] for request in requests) == Counter(
        [
            f"{surface}.128_167_2t.regn1280sc.20220511.grb",
            f"{surface}.128_165_10u.regn1280sc.20220511.grb",
            f"{surface}.128_166_10v.regn1280sc.20220511.grb",
            f"{surface}.128_151_msl.regn1280sc.20220511.grb",
            f"{surface}.128_129_z.regn1280sc.20220511.grb",
            f"{surface}.128_172_lsm.regn1280sc.20220511.grb",
            f"{surface}.128_043_slt.regn1280sc.20220511.grb",
            f"{levels}.128_129_z.regn1280sc.2022051106.grb",
            f"{levels}.128_130_t.regn1280sc.2022051106.grb",
            f"{levels}.128_131_u.regn1280uv.2022051106.grb",
            f"{levels}.128_132_v.regn1280uv.2022051106.grb",
            f"{levels}.128_133_q.regn1280sc.2022051106.grb",
        ]
    )
    assert {request.dataset for request in requests} == {"d113001"}
    assert {request.body["url"] for request in requests} == {"https://data.rda.ucar.edu/d113001"}
    assert {request.addresses[0] for request in requests} == {"https://data.gdex.ucar.edu/d113001"}


def test_a_day_of_a_surface_variable_is_one_file_and_levels_are_one_a_time():
    requests = plan(
        datetime(2021, 12, 31, 12),
        datetime(2022, 1, 1, 18),
        ["surface/2t", "atmospheric/u"],
        Levels((500, 850)),
    )
    surface = [r for r in requests if r.fields == (("surface/2t", None),)]
    assert [[time.hour for time in r.times] for r in surface] == [[12, 18], [0, 6, 12, 18]]
    assert ["/202112/" in r.body["file"] for r in surface] == [True, False]
    deep = [r for r in requests if r not in surface]
    assert len(deep) == 6
    assert all(r.fields == (("atmospheric/u", 500), ("atmospheric/u", 850)) for r in deep)
    firsts = [request.times[0] for request in requests]
    assert firsts == sorted(firsts)


def test_static_fields_are_read_from_the_first_day():
    requests = plan(datetime(2022, 1, 1), datetime(2022, 1, 3, 18), ["static/lsm", "surface/msl"])
    first, *others = requests
    assert first.fields == (("static/lsm", None),)
    assert first.body["file"].endswith("128_172_lsm.regn1280sc.20220101.grb")
    assert len(others) == 3


def test_other_levels_and_times_share_the_files():
    whole = plan(datetime(2022, 1, 1), datetime(2022, 1, 1, 18), ["surface/2t", "atmospheric/t"])
    part = plan(
        datetime(2022, 1, 1, 6),
        datetime(2022, 1, 1, 6),
        ["surface/2t", "atmospheric/t"],
        Levels((500,)),
    )
    assert {request.digest for request in part} < {request.digest for request in whole}


def test_seven_years_are_planned_in_a_moment():
    requests = plan(datetime(2016, 1, 1), datetime(2022, 12, 31, 18))
    assert len(requests) == 3 + 4 * 2_557 + 5 * 10_228


@pytest.mark.parametrize(
    "options", [{"data_format": "netcdf"}, {"lead_times": (timedelta(0), 6 * HOUR)}]
)
def test_what_no_file_holds_is_refused(options):
    with pytest.raises(SpecError, match="GRIB files of analyses"):
        plan(datetime(2022, 1, 1), datetime(2022, 1, 1), **options)
