"""The iterable dataset: order, ranks, workers, positions, mixtures."""

import itertools
import json

import numpy as np
import pytest

from aurora_prep.manifest.batches import BatchDataset
from aurora_prep.manifest.samples import samples_of
from aurora_prep.sources.spec import ManifestError

from .test_manifest_loader_sources import store_of
from .test_manifest_samples import frame, opened

INSTALL = 'Aurora is not installed; to run this test: pip install -e ".[torch]"'
STATICS = {"lsm": np.zeros((7, 12), np.float32)}


pytestmark = [
    pytest.mark.aurora,
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
]


@pytest.fixture(scope="module")
def torch():
    pytest.importorskip("aurora", reason=INSTALL, exc_type=ModuleNotFoundError)
    return pytest.importorskip("torch", reason=INSTALL, exc_type=ModuleNotFoundError)


@pytest.fixture(scope="module")
def made(tmp_path_factory, torch):
    """42 samples of one source and 18 of another, on 30 degrees."""
    assert torch.utils.data.IterableDataset in BatchDataset.__mro__
    root = tmp_path_factory.mktemp("batches")
    frames = []
    for source, count in (("era5", 44), ("hres", 20)):
        store = f"{source}/30.zarr"
        store_of(root, store, {"time": np.arange(count) * 6}, {"2t": False}, cut=3)
        frames += [frame(source, 6 * i, grid="30", store=store) for i in range(count)]
    with opened(root, frames) as manifest:
        return str(root), samples_of(manifest)


@pytest.fixture
def dataset_of(made):
    def make(**options):
        root, samples = made
        return BatchDataset(root, samples, **{"statics": STATICS, "block": 4, "seed": 3, **options})

    return make


def names_of(batches):
    """Each batch by what is in it: its times, and a value of every sample."""
    return [(b.metadata.time, *b.surf_vars["2t"][:, 0, 0, 0].tolist()) for b, _ in batches]


def test_an_epoch_is_complete_and_the_next_one_has_another_order(dataset_of):
    dataset = dataset_of()
    assert len(dataset) == 60
    first = names_of(dataset)
    assert len(set(first)) == len(first) == 60
    assert (dataset.epoch, dataset.position) == (1, 0)
    second = names_of(dataset)
    assert sorted(second) == sorted(first)
    assert second != first
    dataset.start_at(0)
    assert names_of(dataset) == first
    assert 0 < dataset.bytes_read < dataset.bytes_used


def test_batches_hold_one_source_each(dataset_of):
    whole = list(dataset_of(batch_size=4))
    assert len(whole) == 42 // 4 + 18 // 4
    singles = {name[1]: name[0][0] for name in names_of(dataset_of())}
    for batch, targets in whole:
        assert tuple(batch.surf_vars["2t"].shape) == (4, 2, 7, 12)
        assert tuple(targets[0].surf_vars["2t"].shape) == (4, 1, 7, 12)
        values = batch.surf_vars["2t"][:, 0, 0, 0].tolist()
        assert [singles[value] for value in values] == list(batch.metadata.time)


@pytest.mark.parametrize("stop", [1, 7, 59])
def test_a_loop_goes_on_where_its_state_was_taken(dataset_of, stop):
    expected = names_of(dataset_of())
    dataset = dataset_of()
    taken = names_of(itertools.islice(dataset, stop))
    assert taken == expected[:stop]
    state = dataset.state_dict()
    assert (state["epoch"], state["position"]) == (0, stop)
    resumed = dataset_of()
    resumed.load_state_dict(json.loads(json.dumps(state)))
    assert len(resumed) == 60 - stop
    assert names_of(resumed) == expected[stop:] == names_of(dataset)


@pytest.mark.parametrize("other", [{"seed": 4}, {"block": 1}, {"batch_size": 2}])
def test_a_state_of_another_order_is_refused(dataset_of, other):
    with pytest.raises(ManifestError, match="another order"):
        dataset_of(**other).load_state_dict(dataset_of().state_dict())


@pytest.mark.parametrize("batch_size", [1, 2])
def test_ranks_take_equally_many_and_nothing_twice(dataset_of, batch_size):
    parts = [names_of(dataset_of(rank=r, ranks=3, batch_size=batch_size)) for r in range(3)]
    assert len({len(part) for part in parts}) == 1
    together = [name for part in parts for name in part]
    assert len(set(together)) == len(together) >= 60 // batch_size - 3 * 4


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("position", [0, 1, 13, 58])
def test_workers_share_a_rank_and_go_on_anywhere(torch, dataset_of, workers, position):
    def batches(start):
        dataset = dataset_of()
        dataset.start_at(0, start)
        return names_of(torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=workers))

    whole = batches(0)
    assert sorted(whole) == sorted(names_of(dataset_of()))
    if position:
        assert sorted(batches(position)) == sorted(whole[position:])


def test_sources_are_mixed_by_weight(dataset_of):
    weighed = dataset_of(weights={"era5": 1, "hres": 3})
    own = {name[1] for name in names_of(dataset_of(weights={"hres": 1}))}
    shares = [name[1] in own for name in names_of(weighed)]
    assert len(own) == 18
    assert 0.5 < np.mean(shares) < 0.95


@pytest.mark.parametrize(
    "wrong", [{"batch_size": 0}, {"block": 0}, {"rank": 1}, {"rank": 2, "ranks": 2}]
)
def test_numbers_that_make_no_sense_are_refused(dataset_of, wrong):
    with pytest.raises(ManifestError, match="BatchDataset"):
        dataset_of(**wrong)


def test_a_dataset_without_static_fields_is_told_how_to_get_them(dataset_of):
    with pytest.raises(ManifestError, match="statics"):
        next(iter(dataset_of(statics=None)))
