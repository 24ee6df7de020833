"""What each engine needs for this work, where the user does not say otherwise.

An element of the pipeline is a shard's key, seconds to minutes of work, and its
bundle may be lost and done again: the ledger knows what is finished.
"""

from __future__ import annotations

import argparse
import json
import urllib.request
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from aurora_prep.pipelines.engines import places
from aurora_prep.sources.spec import EngineError

Given = frozenset[str]

# Between two stages of a batch nothing runs: workers wait instead of starting anew.
KEEP_WORKERS_MILLIS = 60_000
ANSWER_SECONDS = 10
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# An engine inside the launcher: there is no cluster to ask.
INSIDE = frozenset({"", "[auto]", "[local]"})
INSTALL = "install it with: make engines; or: python -m aurora_prep.pipelines.engines install"


def of(runner: str, options: argparse.Namespace, given: Given) -> list[str]:
    """Words to add to the user's, for a runner.

    Args:
        runner: Name of the engine, as in ``FlinkRunner``.
        options: The user's options, as Beam reads them.
        given: Names of the options that the user gave.

    Raises:
        EngineError: The engine is not installed, or does not answer.
    """
    known = DEFAULTS.get(runner)
    wanted = known(options, given) if known else {}
    return [f"--{name}={value}" for name, value in wanted.items() if f"--{name}" not in given]


def _local(options: argparse.Namespace, given: Given) -> Mapping[str, object]:
    """Several workers mean several processes: threads would share one interpreter."""
    several = "--direct_num_workers" in given and options.direct_num_workers != 1
    return {"direct_running_mode": "multi_processing"} if several else {}


def _prism(_: argparse.Namespace, given: Given) -> Mapping[str, object]:
    if given & {"--prism_location", "--job_endpoint"}:
        return {}
    program = places.prism()
    if program is None:
        raise EngineError(
            "Prism is not installed",
            "--runner=PrismRunner",
            f"neither {places.folder() / 'bin' / 'prism'} nor prism on the PATH",
            f"{INSTALL}; or name it with --prism_location",
        )
    return {"prism_location": program, "prism_log_level": "warn"}


def _flink(options: argparse.Namespace, given: Given) -> Mapping[str, object]:
    """As many workers as the cluster has slots, kept between stages."""
    wanted: dict[str, object] = {"environment_cache_millis": KEEP_WORKERS_MILLIS}
    if "--job_endpoint" not in given:
        wanted |= _flink_job_server(given)
    master = (options.flink_master or "").strip()
    if master in INSIDE:
        return wanted
    address = master if "://" in master else f"http://{master}"
    wanted["parallelism"] = _flink_slots(address)
    if urlsplit(address).hostname in LOOPBACK and "--environment_type" not in given:
        wanted["environment_type"] = "PROCESS"
        wanted["environment_config"] = json.dumps({"command": str(places.worker_command())})
    return wanted


def _flink_job_server(given: Given) -> Mapping[str, object]:
    if given & {"--flink_job_server_jar", "--flink_submit_uber_jar"}:
        return {}
    jar = places.flink_job_server()
    if not jar.exists():
        raise EngineError(
            "Beam's job server for Flink is not installed",
            "--runner=FlinkRunner",
            f"no {jar}",
            f"{INSTALL}; or name a jar with --flink_job_server_jar",
        )
    return {"flink_job_server_jar": jar}


def _flink_slots(address: str) -> int:
    """Task slots of a cluster: one shard each.

    Raises:
        EngineError: No cluster answers, or it has no slot.
    """
    try:
        request = urllib.request.Request(f"{address.rstrip('/')}/overview")  # noqa: S310  the user's own
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310  as above
            slots = int(json.load(answer)["slots-total"])
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(
            "no Flink cluster answers",
            f"--flink_master={address}",
            f"{type(error).__name__}: {error}",
            "start one (python -m aurora_prep.pipelines.engines flink), or mend the address:"
            " it is that of Flink's REST interface, host:port",
        ) from error
    if not slots:
        raise EngineError(
            "the Flink cluster has no task slot",
            f"--flink_master={address}",
            "0 task slots",
            "start task managers, or wait until they have joined",
        )
    return slots


DEFAULTS: Mapping[str, Callable[[argparse.Namespace, Given], Mapping[str, object]]] = {
    "DirectRunner": _local,
    "PrismRunner": _prism,
    "FlinkRunner": _flink,
}
