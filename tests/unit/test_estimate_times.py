"""Times and prices: what bounds a run, and what the user can change about it."""

from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_prep.pipelines.estimates.load import Load
from aurora_prep.pipelines.estimates.prices import DEFAULT, Setting
from aurora_prep.pipelines.estimates.times import dollars_of, times_of
from aurora_prep.pipelines.plan.provider_limits import limit_of
from aurora_prep.sources.spec import RecipeError

SETTING = Setting.load()
AMOUNTS = st.floats(0, 1e15)
LOADS = st.builds(
    Load,
    provider=st.sampled_from(("cds", "ads", "mars", "http")),
    is_fetched=st.booleans(),
    requests=st.floats(1, 1e6),
    fields=st.floats(1, 1e9),
    download_bytes=AMOUNTS,
    output_bytes=AMOUNTS,
    objects=st.floats(0, 1e8),
    reads=st.floats(0, 1e8),
    parts=st.floats(0, 1e7),
    core_seconds=st.floats(0, 1e9),
)
NOTHING = Load(
    provider="cds",
    is_fetched=True,
    requests=0,
    fields=0,
    download_bytes=0,
    output_bytes=0,
    objects=0,
    reads=0,
    parts=0,
    core_seconds=0,
)


def test_a_queue_lets_so_many_through():
    load = replace(NOTHING, requests=100, fields=100 * 600, download_bytes=100 * 3e9)
    each = 300 + 600 / 20 + 3e9 / 30e6  # waits, is prepared, flows
    for workers in (1, 1000):
        found = times_of([load], SETTING, workers)
        assert found.queue == pytest.approx(100 * each / 4 / 3600)
        assert found.bound == "queue"
    two = replace(load, provider="mars")
    each = 1200 + 600 / 10 + 3e9 / 30e6
    assert times_of([two], SETTING, 9).queue == pytest.approx(100 * each / 2 / 3600)


def test_queues_of_two_providers_run_side_by_side_and_those_of_one_do_not():
    cds = replace(NOTHING, requests=100)
    mars = replace(cds, provider="mars")
    one, other = times_of([cds], SETTING, 1).queue, times_of([mars], SETTING, 1).queue
    assert times_of([cds, mars], SETTING, 1).queue == pytest.approx(max(one, other))
    assert times_of([cds, cds], SETTING, 1).queue == pytest.approx(2 * one)


def test_a_provider_takes_no_more_than_the_throttle_lets():
    limit = limit_of("cds")
    for offered, taken in ((0, limit.in_flight), (1, 1), (10_000, limit.in_flight)):
        queue = replace(SETTING.providers["cds"], in_flight=offered)
        setting = replace(SETTING, providers={**SETTING.providers, "cds": queue})
        found = times_of([replace(NOTHING, requests=800)], setting, 1000)
        assert found.queue == pytest.approx(800 * 300 / taken / 3600)


@pytest.mark.parametrize(("provider", "makers"), [("cds", 1), ("http", 4)])
def test_what_a_provider_brings_is_made_by_the_workers_of_its_lanes(provider, makers):
    assert limit_of(provider).slots == makers
    traffic = replace(NOTHING, provider=provider, download_bytes=250e6 * 3600)
    found = times_of([traffic], SETTING, 1000)
    assert found.fetch_network == found.shard_network == pytest.approx(1 / makers)
    work = replace(NOTHING, provider=provider, core_seconds=4 * 3600)
    assert times_of([work], SETTING, 1000).cores == pytest.approx(1 / makers)
    anybody = replace(work, is_fetched=False)
    assert times_of([anybody], SETTING, 1000).cores == pytest.approx(1 / 1000)


@pytest.mark.parametrize(
    ("changes", "bound", "hours"),
    [
        ({"core_seconds": 4 * 3600}, "cores", 1),
        ({"output_bytes": 250e6 * 3600}, "network", 1),
        ({"objects": 1000 * 3600}, "writing", 1),
        ({"reads": 5000 * 3600}, "writing", 1),
        ({"parts": 3600 / 0.0012}, "finish", 1),
        ({"download_bytes": 250e6 * 3600, "is_fetched": False}, "network", 1),
        # Shards are made while answers are fetched.
        ({"download_bytes": 250e6 * 3600, "output_bytes": 250e6 * 3600}, "network", 1),
    ],
)
def test_each_resource_can_be_the_bound(changes, bound, hours):
    found = times_of([replace(NOTHING, **changes)], SETTING, 1)
    assert (found.bound, found.hours) == (bound, pytest.approx(hours))
    assert times_of([NOTHING], SETTING, 1).hours == 0


@settings(deadline=None, derandomize=True)
@given(st.lists(LOADS, min_size=1, max_size=4), st.integers(1, 2000))
def test_more_workers_never_take_longer_and_no_bound_is_beaten(loads, workers):
    found = times_of(loads, SETTING, workers)
    more = times_of(loads, SETTING, workers + 1)
    assert more.hours <= found.hours * (1 + 1e-9)
    parts = (found.queue, found.network, found.cores, found.writing, found.finish)
    assert max(parts) <= found.hours * (1 + 1e-9)
    assert found.hours <= sum(parts) * (1 + 1e-9)
    assert found.bound in ("queue", "network", "cores", "writing", "finish")
    alone = [times_of([load], SETTING, workers).hours for load in loads]
    assert max(alone) <= found.hours * (1 + 1e-9)
    assert found.hours <= sum(alone) * (1 + 1e-9)


def test_money_is_for_workers_from_start_to_end_and_for_requests():
    load = replace(NOTHING, core_seconds=8 * 3600, objects=2000, reads=1000, is_fetched=False)
    found = times_of([load], SETTING, 2)
    assert found.hours == pytest.approx(1)
    worker = 4 * 0.056 + 16 * 0.003557 + 100 * 0.000054
    assert dollars_of(found, [load], SETTING) == pytest.approx(2 * worker + 2 * 0.005 + 0.0004)


def test_a_file_of_ones_own_changes_what_it_names(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("providers: {cds: {in_flight: 9}}\nprices: {core_hour: 1}\n", encoding="utf-8")
    mine = Setting.load(path)
    assert mine.providers["cds"].in_flight == 9
    assert mine.providers["cds"].queue_seconds == SETTING.providers["cds"].queue_seconds
    assert mine.providers["ads"] == SETTING.providers["ads"]
    assert mine.worker_hour == pytest.approx(SETTING.worker_hour + 4 * (1 - 0.056))


@pytest.mark.parametrize(
    ("text", "found", "fix"),
    [
        ("price: {core_hour: 1}", "price", "prices"),
        ("providers: {cds: {inflight: 1}}", "inflight", "in_flight"),
        ("providers: {cdss: {in_flight: 1}}", "cdss", "cds"),
        ("worker: {cores: 0}", "0", "above 0"),
        ("worker: {cores: many}", "'many'", "above 0"),
        ("prices: {core_hour: -1}", "-1", "not negative"),
        ("prices: {core_hour: .inf}", "inf", "not negative"),
        ("prices: {core_hour: true}", "True", "not negative"),
        ("prices: 3", "3", "core_hour"),
        ("[1, 2]", "[1, 2]", "prices.yaml"),
        ("a: b: c", "mapping values", "mend the file"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path, text, found, fix):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        Setting.load(path)
    _, where, told, advice = caught.value.args
    assert str(path) in where
    assert found in told
    assert fix in advice


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read"):
        Setting.load(tmp_path / "absent.yaml")


def test_every_fetched_access_has_its_queue_and_prices_their_date():
    assert set(SETTING.providers) == {"cds", "ads", "mars", "http", "index"}
    text = DEFAULT.read_text(encoding="utf-8")
    assert "list prices" in text
    assert "CHECK THEM" in text
    assert set(yaml.safe_load(text)) == {"prices", "worker", "providers", "bucket", "finish"}
