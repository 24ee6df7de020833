"""The embedded provider: a store on loopback that the real client talks to."""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from aurora_prep import sources
from aurora_prep.providers.embedded.call import Call, Reply
from aurora_prep.providers.embedded.cds import KEY, Store
from aurora_prep.providers.embedded.ecmwf_stores import EcmwfStores
from aurora_prep.providers.embedded.faults import Faults
from aurora_prep.providers.embedded.gcs import GcsEmulator
from aurora_prep.providers.embedded.indexed_hosts import Hosts
from aurora_prep.providers.embedded.mars import Archive
from aurora_prep.providers.embedded.selection import RefusedError
from aurora_prep.providers.embedded.transport import Exchange, Listener
from aurora_prep.providers.embedded.tree import Tree
from aurora_prep.providers.embedded.weatherbench import stores_of
from aurora_prep.providers.embedded.weatherbench_bucket import VirtualBucket
from aurora_prep.sources.spec import FetchError, Source

LOGGER = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
# The synthetic archive's newest months, fixed: an answer must not change with the clock.
PRELIMINARY_FROM = datetime(2026, 7, 1)
# Where the fault ``hang`` strikes: where work is asked for.
HANGING = ("/api/retrieve", "/v1/services", "/files", "/hosts")
REMEMBERED = 100_000


class Room(Protocol):
    """One of the services that the provider stands for."""

    def answer(self, call: Call) -> Reply:
        """The reply to a call; a refusal is also returned as a reply."""

    def close(self) -> None:
        """Start nothing more and wait for what runs."""


class EmbeddedProvider:
    """Synthetic data stores, archive, file trees and buckets on loopback, for demo and tests.

    Use it as a context manager, or call ``start`` and ``close``.

    Args:
        port: Port to listen at; 0 takes a free one.
        faults: What goes wrong: names, or names with counts (see ``faults.FAULTS``).
        queue_seconds: How long a job stays accepted.
        keep_seconds: How long a finished file can be downloaded.
        hang_seconds: How long the fault ``hang`` keeps a client waiting.
        preliminary_from: From this valid time on ``expver`` is 0005.
        edition: GRIB edition: 1 with simple packing, or 2 with CCSDS.
        gaussian_lines: Rows between pole and equator of every Gaussian grid, to
            save time; those asked for by default, which are 1280.
        declared: Sources to serve; all of them by default.
        folder: Where the temporary folder with the files is made; the system's
            place by default.
    """

    key = KEY

    def __init__(
        self,
        port: int = 0,
        *,
        faults: str | Iterable[str] | Mapping[str, int] = (),
        queue_seconds: float = 0.0,
        keep_seconds: float = 3600.0,
        hang_seconds: float = 60.0,
        preliminary_from: datetime = PRELIMINARY_FROM,
        edition: int = 1,
        gaussian_lines: int | None = None,
        declared: Iterable[Source] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.faults = Faults(faults)
        self._port = port
        self._hang_seconds = hang_seconds
        self._where = folder
        self._declared = (
            tuple(sources.load(name) for name in sources.names())
            if declared is None
            else tuple(declared)
        )
        self._options: dict[str, Any] = {
            "keep_seconds": keep_seconds,
            "preliminary_from": preliminary_from,
            "edition": edition,
        }
        self._queue_seconds = queue_seconds
        self._lines = gaussian_lines
        self._exchanges: deque[Exchange] = deque(maxlen=REMEMBERED)
        self._closing = threading.Event()
        self._server: Listener | None = None
        stores = stores_of(self._declared, preliminary_from)
        self.gcs = GcsEmulator(
            buckets={name: VirtualBucket(held, self.faults) for name, held in stores.items()}
        )

    @property
    def base(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def url(self) -> str:
        """The ``url`` for ``cdsapi.Client``."""
        return f"{self.base}/api"

    @property
    def buckets(self) -> str:
        """Who answers in Google's place, with the public buckets that the sources name."""
        return self.gcs.url

    @property
    def requests(self) -> tuple[Exchange, ...]:
        """What was asked so far, in the order of the answers."""
        return tuple(self._exchanges)

    @property
    def downloads(self) -> int:
        """Files asked for, resumptions not counted."""
        return sum(e.is_download and e.start == 0 for e in self.requests)

    @property
    def submissions(self) -> int:
        """Jobs submitted."""
        return sum(e.is_submission for e in self.requests)

    def start(self) -> Self:
        """Listen.

        Raises:
            FetchError: The port cannot be had.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="aurora-prep-embedded-", dir=self._where))
        try:
            self._server = Listener((LOOPBACK, self._port), self)
        except (OSError, OverflowError) as error:
            self._folder.rmdir()
            raise FetchError(
                "the embedded provider cannot listen",
                f"{LOOPBACK}, port {self._port}",
                str(error),
                "take another port; 0 takes a free one",
            ) from error
        self._port = self._server.server_address[1]
        held = (self._declared, self._folder, self.faults)
        options, queue = self._options, self._queue_seconds
        # The data store is asked for everything that the others do not know.
        self._rooms: tuple[tuple[str, Room], ...] = (
            ("/v1/", Archive(*held, **options, queue_seconds=queue, lines=self._lines)),
            ("/hosts/", Hosts(self._declared, self.faults, self.base)),
            ("/arco/", EcmwfStores(self._declared, self.faults, self._options["preliminary_from"])),
            ("/files/", Tree(*held, **options, lines=self._lines)),
            ("/", Store(*held, **options, queue_seconds=queue)),
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="embedded"
        )
        self._thread.start()
        self.gcs.start()
        LOGGER.info("embedded provider at %s: synthetic data", self.url)
        return self

    def close(self) -> None:
        """Stop listening, end the connections, remove the files."""
        if self._server is None:
            return
        self._closing.set()
        self.gcs.close()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()
        for _, room in self._rooms:
            room.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def wait(self) -> None:
        """Return when the provider is closed."""
        self._closing.wait()

    def hangs(self, path: str) -> bool:
        """Whether the fault ``hang`` strikes; returns when the client has waited enough."""
        if path.startswith(HANGING) and self.faults.take("hang"):
            self._closing.wait(self._hang_seconds)
            return True
        return False

    def answer(self, method: str, target: str, key: str | None, content: bytes) -> Reply:
        """The reply to one HTTP request."""
        try:
            call = Call.of(method, target, key, content, self.base)
        except RefusedError as refused:
            return Reply(refused.status, {"title": refused.title, "detail": refused.detail})
        try:
            room = next(room for prefix, room in self._rooms if call.path.startswith(prefix))
            return room.answer(call)
        except Exception:
            LOGGER.exception("embedded provider, %s %s", method, call.path)
            return Reply(500, {"title": "internal server error", "detail": "see the log"})

    def remember(self, exchange: Exchange) -> None:
        """Add to the record."""
        self._exchanges.append(exchange)


def serve(
    port: int,
    *,
    faults: Iterable[str] | Mapping[str, int] = (),
    ready: Callable[[EmbeddedProvider], None] | None = None,
) -> None:
    """Serve until interrupted.

    Args:
        port: Port to listen at; 0 takes a free one.
        faults: Faults to switch on.
        ready: Called once when the provider listens, to tell its ``url`` and ``key``.

    Raises:
        FetchError: The port cannot be had.
        SpecError: There is no such fault.
    """
    with EmbeddedProvider(port, faults=faults) as provider:
        if ready is not None:
            ready(provider)
        try:
            provider.wait()
        except KeyboardInterrupt:
            LOGGER.info("embedded provider stopped")
