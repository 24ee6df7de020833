"""``aurora-prep provider serve``, as one would use it from another terminal."""

import signal
import subprocess
import sys
from pathlib import Path

import requests


def test_it_tells_where_it_listens_and_leaves_nothing_behind(tmp_path: Path) -> None:
    served = subprocess.Popen(
        [sys.executable, "-m", "aurora_prep.pipelines", "provider", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={"TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
    )
    try:
        assert served.stdout is not None
        lines = [served.stdout.readline() for _ in range(6)]
        assert "synthetic" in lines[0]
        address = next(line.split()[2] for line in lines if line.startswith("data stores"))
        process = f"{address}/retrieve/v1/processes/reanalysis-era5-single-levels"
        assert requests.get(process, timeout=30).ok
        served.send_signal(signal.SIGTERM)
        assert served.wait(timeout=60) == 0
    finally:
        served.kill()
        served.communicate()
    assert not list(tmp_path.glob("aurora-prep-embedded-*"))
