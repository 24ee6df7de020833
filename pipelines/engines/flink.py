"""A Flink cluster on this machine: a job manager, task managers, Beam's job server; for a while.

Small and without root: a dress rehearsal for a real cluster, and the way to try
what happens when a machine is lost.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Self

from aurora_prep.pipelines.engines import install, places
from aurora_prep.sources.spec import EngineError

JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
START_SECONDS = 180
STOP_SECONDS = 15
POLL_SECONDS = 0.25

# Fields are not in these heaps: they are in the Python workers beside them.
SETTINGS = {
    "jobmanager.rpc.address": "localhost",
    "rest.address": "localhost",
    "rest.bind-address": "localhost",
    "taskmanager.host": "localhost",
    "jobmanager.memory.heap.size": "384m",
    "taskmanager.cpu.cores": "1",
    "taskmanager.memory.framework.heap.size": "96m",
    "taskmanager.memory.task.heap.size": "160m",
    "taskmanager.memory.framework.off-heap.size": "64m",
    "taskmanager.memory.task.off-heap.size": "64m",
    "taskmanager.memory.network.min": "64m",
    "taskmanager.memory.network.max": "64m",
    "taskmanager.memory.managed.size": "96m",
    "taskmanager.memory.jvm-metaspace.size": "256m",
    "taskmanager.memory.jvm-overhead.min": "64m",
    "taskmanager.memory.jvm-overhead.max": "64m",
    # Beam's classes are in the cluster's own path: only then do workers outlive a stage.
    "classloader.resolve-order": "parent-first",
    # A batch job is done again from the stage that was lost, not failed.
    "restart-strategy.type": "fixed-delay",
    "restart-strategy.fixed-delay.attempts": "5",
    "restart-strategy.fixed-delay.delay": "2 s",
    "heartbeat.interval": "2000",
    "heartbeat.timeout": "20000",
}
JOB_MANAGER_MEMORY = ("-Xmx384m", "-XX:MaxMetaspaceSize=256m")
TASK_MANAGER_MEMORY = ("-Xmx256m", "-XX:MaxDirectMemorySize=192m", "-XX:MaxMetaspaceSize=256m")
# What Flink 1.19 reaches into, since Java 17 asks to be told.
OPENED = (
    "lang", "lang.reflect", "net", "io", "nio", "text", "time", "util", "util.concurrent",
    "util.concurrent.atomic", "util.concurrent.locks",
)  # fmt: skip
OPEN = (
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    *(f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in OPENED),
)


class FlinkCluster:
    """A job manager, task managers and Beam's job server, from ``with`` to its end.

    Args:
        task_managers: How many.
        slots: Task slots of each.
        log: Folder for logs; thrown away with the cluster where not given.

    Raises:
        EngineError: Flink is not installed, or does not start.
    """

    def __init__(self, task_managers: int = 2, slots: int = 1, log: Path | None = None) -> None:
        self.wanted, self.slots, self.log = task_managers, slots, log
        self.task_managers: list[subprocess.Popen[bytes]] = []
        self.stack = ExitStack()
        self.folder = Path()
        self.port = self.job_port = 0

    @property
    def master(self) -> str:
        """Address for ``--flink_master``."""
        return f"localhost:{self.port}"

    @property
    def options(self) -> tuple[str, ...]:
        """Words for Beam, after ``--``, to run on this cluster.

        Its job server is up already, and its class path holds Beam: no jar need travel.
        """
        return (
            "--runner=FlinkRunner",
            f"--flink_master={self.master}",
            f"--job_endpoint=localhost:{self.job_port}",
            f"--files_to_stage={places.flink_job_server()}",
        )

    def __enter__(self) -> Self:
        if not places.flink_job_server().exists():
            raise EngineError(
                "Flink is not installed", "local cluster", f"no {places.flink_jars()}",
                "install it with: make engines",
            )  # fmt: skip
        with ExitStack() as begun:
            self.folder = Path(begun.enter_context(tempfile.TemporaryDirectory(prefix="flink-")))
            self.log = self.log or self.folder / "log"
            self.log.mkdir(parents=True, exist_ok=True)
            self._configure()
            manager = self._start("jobmanager", JOB_MANAGER, JOB_MANAGER_MEMORY, begun)
            self.stack = begun.pop_all()
        try:
            # Task managers that find nobody wait ten seconds before they ask again.
            self._wait(lambda: bool(self._overview()), manager)
            for _ in range(self.wanted):
                self.add_task_manager()
            self._start_job_server()
            self._wait(
                lambda: self._overview().get("taskmanagers", 0) >= self.wanted,
                manager,
                *self.task_managers,
            )
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def add_task_manager(self) -> subprocess.Popen[bytes]:
        """Start one more task manager; it joins in its own time."""
        name = f"taskmanager-{len(self.task_managers) + 1}"
        started = self._start(name, TASK_MANAGER, TASK_MANAGER_MEMORY, self.stack)
        self.task_managers.append(started)
        return started

    def lose(self, position: int) -> None:
        """Kill a task manager and its workers at once, as when a machine is lost."""
        process = self.task_managers[position]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _wait(self, condition: Callable[[], bool], *processes: subprocess.Popen[bytes]) -> None:
        """Wait for a condition that processes bring about.

        Raises:
            EngineError: One of the processes ended, or it takes too long.
        """
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            ended = [process.args for process in processes if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                what = "a process ended" if ended else f"not complete after {START_SECONDS} s"
                raise self._failed(what)
            time.sleep(POLL_SECONDS)

    def _start_job_server(self) -> None:
        """Start Beam's job server, and wait until it listens."""
        self.job_port = _free_port()
        words = [
            "--flink-master", self.master, "--job-host", "localhost",
            "--job-port", str(self.job_port), "--artifact-port", "0", "--expansion-port", "0",
            "--artifacts-dir", str(self.folder / "staged"),
        ]  # fmt: skip
        process = self._start(
            "jobserver", install.JOB_SERVER, JOB_MANAGER_MEMORY, self.stack, words
        )
        self._wait(lambda: _listens(self.job_port), process)

    def running(self) -> int:
        """Jobs that run."""
        return self._overview().get("jobs-running", 0)

    def _overview(self) -> dict[str, int]:
        """What the job manager says of the cluster; nothing before it listens."""
        try:
            with urllib.request.urlopen(f"http://{self.master}/overview", timeout=5) as answer:
                overview: dict[str, int] = json.load(answer)
        except OSError:
            return {}
        return overview

    def _configure(self) -> None:
        self.port, rpc = _free_port(), _free_port()
        settings = {
            **SETTINGS,
            "rest.port": self.port,
            "jobmanager.rpc.port": rpc,
            "taskmanager.numberOfTaskSlots": self.slots,
            "io.tmp.dirs": self.folder / "tmp",
        }
        (self.folder / "conf").mkdir()
        (self.folder / "tmp").mkdir()
        text = "".join(f"{name}: {value}\n" for name, value in settings.items())
        (self.folder / "conf" / "flink-conf.yaml").write_text(text, encoding="utf-8")

    def _start(
        self,
        name: str,
        entry: str,
        memory: tuple[str, ...],
        stack: ExitStack,
        words: Sequence[str] = (),
    ) -> subprocess.Popen[bytes]:
        """A process and, as leader of a session of its own, the workers it starts."""
        log = stack.enter_context(self._log_of(name).open("wb"))
        command = [
            install.java(), *memory, *OPEN, f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            "-cp", f"{places.flink_jars()}/*", entry,
        ]  # fmt: skip
        process = _popen([*command, *(words or ("--configDir", str(self.folder / "conf")))], log)
        stack.callback(_stop, process)
        return process

    def _log_of(self, name: str) -> Path:
        return (self.log or self.folder) / f"{name}.log"

    def _failed(self, found: str) -> EngineError:
        tails = [path.read_text("utf-8", "replace")[-300:] for path in self._logs()]
        told = " ".join((found, *tails)).replace("\n", " ")
        return EngineError(
            "the local Flink cluster does not start", str(self.log), told,
            "free some memory (1.5 GB are needed) and try again",
        )  # fmt: skip

    def _logs(self) -> list[Path]:
        return sorted((self.log or self.folder).glob("*.log"))


def _popen(command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  our own words
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it has started; politely, then not."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("localhost", port), timeout=1).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return int(listener.getsockname()[1])
