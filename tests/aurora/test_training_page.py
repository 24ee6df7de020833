"""The code of docs/training.md runs as it stands there."""

import re
from functools import partial
from pathlib import Path

import pytest

from .conftest import SMALL

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.aurora


@pytest.mark.usefixtures("torch")
def test_the_code_of_the_page(aurora, families, tmp_path, monkeypatch, capsys):
    thin = partial(aurora.AuroraSmallPretrained, **SMALL)
    monkeypatch.setattr(aurora, "AuroraSmallPretrained", thin)
    (tmp_path / "out").mkdir()
    for name in ("my-era5", "waves"):
        (tmp_path / "out" / name).symlink_to(families.root)
    monkeypatch.chdir(tmp_path)
    # The block of the newest initial state needs a dataset of another recipe.
    found = FENCE.findall(PAGE.read_text(encoding="utf-8"))
    blocks = [block for block in found if "out/today" not in block]
    assert (len(found), len(blocks)) == (5, 4)
    space = {}
    exec("\n".join(blocks), space)  # noqa: S102  # the page is ours
    steps = re.findall(r"2020-02-28 \d\d:00:00 (\d+\.\d+)", capsys.readouterr().out)
    assert len(steps) == len(space["samples"]) == 3
    assert all(0 < float(error) < 10 for error in steps)
    assert len(space["longer"]) == 2
    assert len(space["waves"]) == 3
    assert (space["state"]["epoch"], space["state"]["position"]) == (1, 0)
