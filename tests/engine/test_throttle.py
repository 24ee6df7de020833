"""Slots: a provider's limit, kept by grouping."""

import pytest

from aurora_prep.pipelines.plan import provider_limits
from aurora_prep.pipelines.plan.provider_limits import LIMITS, Limit, limit_of, slot_of
from aurora_prep.sources.spec import Request


def request(day: int) -> Request:
    return Request(
        source="era5", access="cds", dataset="d", body={"day": [str(day)]}, times=(), fields=()
    )


def test_each_service_has_a_limit_of_its_own() -> None:
    slots = {access: slot_of(access, request(1)) for access in ("cds", "ads", "mars", "other")}
    assert len(set(slots.values())) == 4
    assert all(limit_of(access).in_flight >= 1 for access in slots)
    assert limit_of("other") == provider_limits.DEFAULT


def test_a_queueing_store_is_asked_by_one_worker() -> None:
    assert {slot_of("cds", request(day)) for day in range(100)} == {("cds", 0)}
    assert limit_of("cds").in_flight == limit_of("cds").at_once == 4


def test_several_slots_are_used_evenly_and_alike_in_every_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(LIMITS, "cds", Limit(at_once=2, slots=3))
    assert limit_of("cds").in_flight == 6
    slots = [slot_of("cds", request(day)) for day in range(300)]
    assert {number for _, number in slots} == {0, 1, 2}
    assert min(slots.count(("cds", number)) for number in range(3)) > 70
    assert slots == [slot_of("cds", request(day)) for day in range(300)]
