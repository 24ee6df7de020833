"""Samples of every family go through the released classes, as they come from the dataset."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import xarray as xr

from aurora_prep.manifest.batches import BatchDataset, Names
from aurora_prep.sources.spec import ManifestError

pytestmark = pytest.mark.aurora

HOUR = timedelta(hours=1)


def trained(torch, error_of, model, dataset, **forward):
    """One step: forward, a finite loss, backward; returns what went in and the loss."""
    loader = torch.utils.data.DataLoader(dataset, batch_size=None)
    batch, targets = next(iter(loader))
    made = model(batch, **forward)
    assert made.metadata.time == targets[0].metadata.time
    assert made.metadata.atmos_levels == batch.metadata.atmos_levels
    loss = error_of(model, made, targets[0])
    assert torch.isfinite(loss)
    loss.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert len(gradients) > 100
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert any((gradient != 0).any() for gradient in gradients)
    return batch, targets


def static_of(families):
    return xr.open_zarr(f"{families.root}/static/5.zarr", chunks=None)


def test_weather(torch, small, error_of, families):
    model = small("AuroraSmallPretrained", use_lora=False)
    dataset = BatchDataset(families.root, families.samples("era5"), names=Names.of(model))
    batch, (target,) = trained(torch, error_of, model, dataset)
    assert list(batch.surf_vars) == ["2t", "10u", "10v", "msl"]
    assert list(batch.static_vars) == ["lsm", "z", "slt"]
    assert {tuple(v.shape) for v in batch.surf_vars.values()} == {(1, 2, 37, 72)}
    assert {tuple(v.shape) for v in batch.atmos_vars.values()} == {(1, 2, 3, 37, 72)}
    assert {tuple(v.shape) for v in batch.static_vars.values()} == {(37, 72)}
    assert {tuple(v.shape) for v in target.atmos_vars.values()} == {(1, 1, 3, 37, 72)}
    assert target.metadata.time[0] - batch.metadata.time[0] == 6 * HOUR


@pytest.mark.usefixtures("torch")
def test_values_are_those_of_the_store(families):
    dataset = BatchDataset(
        families.root, families.samples("era5", rollout=2), batch_size=2, block=1
    )
    stored = xr.open_zarr(f"{families.root}/era5/5.zarr", chunks=None)
    ((batch, targets),) = list(dataset)
    assert len(targets) == 2
    for b, time in enumerate(batch.metadata.time):
        history = stored.sel(time=[time - 6 * HOUR, time])
        for fields, wanted in (
            (batch.surf_vars, ["2t", "10u", "10v", "msl"]),
            (batch.atmos_vars, "tuvqz"),
        ):
            assert set(fields) == set(wanted)
            for name, field in fields.items():
                np.testing.assert_array_equal(field[b], history[name])
        for step, target in enumerate(targets, 1):
            at = stored.sel(time=[time + step * 6 * HOUR])
            assert target.metadata.time[b] == time + step * 6 * HOUR
            np.testing.assert_array_equal(target.surf_vars["msl"][b], at["msl"])
            np.testing.assert_array_equal(target.atmos_vars["q"][b], at["q"])
    static = static_of(families)
    for name in ("z", "lsm", "slt"):
        np.testing.assert_array_equal(batch.static_vars[name], static[name])
    np.testing.assert_array_equal(batch.metadata.lat, stored["latitude"])
    np.testing.assert_array_equal(batch.metadata.lon, stored["longitude"])
    assert batch.metadata.atmos_levels == (500, 850, 1000)


def test_air_pollution(torch, small, error_of, families, emissions):
    model = small("AuroraAirPollution")
    samples = families.samples("cams_analysis")
    dataset = BatchDataset(families.root, samples, names=Names.of(model), statics=emissions)
    batch, (target,) = trained(torch, error_of, model, dataset)
    assert samples[0].inputs[1].init_time - samples[0].inputs[0].init_time == 12 * HOUR
    assert target.metadata.time[0] - batch.metadata.time[0] == 12 * HOUR
    assert len(batch.surf_vars) == 12
    assert len(batch.atmos_vars) == 10
    assert len(batch.static_vars) == 11


def test_waves_with_the_weather_of_a_companion(torch, small, error_of, families):
    model = small("AuroraWave")
    samples = families.samples("era5_wave", "era5")
    dataset = BatchDataset(families.root, samples, names=Names.of(model))
    batch, _ = trained(torch, error_of, model, dataset)
    assert len(batch.surf_vars) == 4 + 18
    assert torch.isnan(batch.surf_vars["swh"]).any()
    assert list(batch.static_vars) == ["lsm", "z", "slt", "wmb", "lat_mask"]
    depth, stored = batch.static_vars["wmb"], static_of(families)["wmb"]
    assert (float(depth.min()), float(depth.max())) == (0, 1)
    np.testing.assert_array_equal(depth == 0, stored.isnull() | (stored <= 0))
    assert (batch.static_vars["lat_mask"][:, 0] == (batch.metadata.lat >= -78)).all()


def test_aurora_1_5_on_the_inputs_that_are_there(torch, aurora, small, error_of, families):
    """Of its inputs, those of ERA5's first four; classes of soil and insolation are worked out."""
    if not hasattr(aurora, "AuroraV1p5"):
        pytest.skip(
            "this microsoft-aurora has no Aurora 1.5; to run this test: install 2.0 or newer"
        )
    model = small(
        "AuroraV1p5",
        surf_vars=("2t", "10u", "10v", "msl", "i10fg", "insolation"),
        static_vars=("lsm", "z", *(f"slt_{code}" for code in range(8))),
        output_only_surf_vars=("i10fg",),
        autocast=False,
    )
    names = Names.of(model)
    assert names.targets_only == ("i10fg",)
    dataset = BatchDataset(families.root, families.samples("era5"), names=names)
    loader = torch.utils.data.DataLoader(dataset, batch_size=None)
    batch, (target,) = next(iter(loader))
    assert list(batch.surf_vars) == ["2t", "10u", "10v", "msl", "insolation"]
    classes = torch.stack([batch.static_vars[f"slt_{code}"] for code in range(8)])
    assert (classes.sum(0) == 1).all()
    made = model(batch, lead_times=torch.tensor([6.0]))
    # Without a record of gusts there is nothing to hold the predicted ones against.
    made = replace(
        made, surf_vars={k: v for k, v in made.surf_vars.items() if k in target.surf_vars}
    )
    torch.testing.assert_close(
        made.surf_vars["insolation"], target.surf_vars["insolation"][..., :-1, :]
    )
    loss = error_of(model, made, target)
    assert torch.isfinite(loss)
    loss.backward()


def test_a_roll_out_of_two_steps(torch, aurora, small, error_of, families):
    model = small("AuroraSmallPretrained", use_lora=False)
    samples = families.samples("era5", rollout=2)
    dataset = BatchDataset(families.root, samples, names=Names.of(model))
    batch, targets = next(iter(dataset))
    steps = list(aurora.rollout(model, batch, steps=2))
    losses = [error_of(model, made, wanted) for made, wanted in zip(steps, targets, strict=True)]
    assert [made.metadata.time for made in steps] == [wanted.metadata.time for wanted in targets]
    assert all(torch.isfinite(loss) for loss in losses)
    sum(losses).backward()


def test_what_a_model_takes_and_a_dataset_lacks_is_named(small, families):
    model = small("AuroraAirPollution")
    dataset = BatchDataset(families.root, families.samples("era5"), names=Names.of(model))
    with pytest.raises(ManifestError, match="surface/pm1"):
        next(iter(dataset))
    waves = BatchDataset(
        families.root, families.samples("era5_wave", "era5"), names=Names(static=("tvh_3",))
    )
    with pytest.raises(ManifestError, match="static/tvh_3"):
        next(iter(waves))
