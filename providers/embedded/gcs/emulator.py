"""The object store of the embedded provider: Cloud Storage on loopback."""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from aurora_prep.providers.embedded.gcs.api import Api
from aurora_prep.providers.embedded.gcs.faults import GcsFaults
from aurora_prep.providers.embedded.gcs.folder import FolderObjects
from aurora_prep.providers.embedded.gcs.objects import Objects
from aurora_prep.providers.embedded.gcs.transport import Exchange, GcsListener
from aurora_prep.providers.embedded.gcs.wire import Call, RefusedError, Reply, refused
from aurora_prep.sources.spec import FetchError

LOGGER = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
REMEMBERED = 100_000
HOST = "STORAGE_EMULATOR_HOST"


class GcsEmulator:
    """A Cloud Storage on loopback that gcsfs and google-cloud-storage talk to unchanged.

    Use it as a context manager, or call ``start`` and ``close``::

        with GcsEmulator(buckets=["data"]) as gcs:
            subprocess.run(..., env={**os.environ, **gcs.environment})

    It does the JSON API's part for objects: metadata, listings in pages, reads
    with every form of ``Range``, uploads in one piece, multipart and resumable,
    preconditions, copies, moves, composition, batches. It keeps no older
    versions and knows no access lists: a private bucket takes any credentials.

    Args:
        folder: Where buckets have their folders, each existing subfolder being
            one; a temporary folder by default.
        buckets: Names of buckets to make, or names with the objects to serve
            (see :class:`Objects`), such as a read-only virtual bucket.
        private: Buckets that answer 401 to calls without credentials.
        faults: What goes wrong: names, or names with counts (see ``faults.FAULTS``).
        rates: Faults that strike at random, with the share of calls struck.
        seed: Where the random numbers begin.
        port: Port to listen at; 0 takes a free one.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        buckets: Iterable[str] | Mapping[str, Objects] = (),
        private: Collection[str] = (),
        faults: Iterable[str] | Mapping[str, int] = (),
        rates: Mapping[str, float] | None = None,
        seed: int = 0,
        port: int = 0,
    ) -> None:
        self.faults = GcsFaults(faults, rates, seed)
        self._given = folder
        self._wanted = buckets
        self._private = frozenset(private)
        self._port = port
        self._exchanges: deque[Exchange] = deque(maxlen=REMEMBERED)
        self._server: GcsListener | None = None

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``, the value for ``STORAGE_EMULATOR_HOST``."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variable that leads the clients of a process here."""
        return {HOST: self.url}

    @property
    def requests(self) -> tuple[Exchange, ...]:
        """What was asked so far, in the order of the answers."""
        return tuple(self._exchanges)

    def forget(self) -> None:
        """Clear the record of calls."""
        self._exchanges.clear()

    def path_of(self, bucket: str, name: str) -> Path:
        """The file behind an object of a bucket that is a folder."""
        return FolderObjects(self.folder / bucket).path_of(name)

    def start(self) -> Self:
        """Listen.

        Raises:
            FetchError: The port cannot be had.
        """
        self._temporary = Path(tempfile.mkdtemp(prefix="aurora-prep-gcs-"))
        staging = self._temporary / "staging"
        self.folder = self._given or self._temporary / "buckets"
        for place in (staging, self.folder):
            place.mkdir(parents=True, exist_ok=True)
        if isinstance(self._wanted, Mapping):
            buckets = dict(self._wanted)
        else:
            buckets = {name: FolderObjects(self.folder / name) for name in self._wanted}
        self._api = Api(self.folder, staging, buckets, self._private)
        try:
            self._server = GcsListener((LOOPBACK, self._port), self)
        except (OSError, OverflowError) as error:
            shutil.rmtree(self._temporary, ignore_errors=True)
            raise FetchError(
                "the embedded object store cannot listen",
                f"{LOOPBACK}, port {self._port}",
                str(error),
                "take another port; 0 takes a free one",
            ) from error
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="gcs"
        )
        self._thread.start()
        LOGGER.info("embedded object store at %s", self.url)
        return self

    def close(self) -> None:
        """Stop listening, end the connections, remove what is temporary."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()
        shutil.rmtree(self._temporary, ignore_errors=True)
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

    def answer(self, call: Call) -> Reply:
        """The reply to a call."""
        try:
            return self._api.answer(call)
        except Exception:
            LOGGER.exception("embedded object store, %s %s", call.method, call.path)
            return refused(RefusedError(500, "internal error of the emulator: see its log"))

    def remember(self, exchange: Exchange) -> None:
        """Add to the record."""
        self._exchanges.append(exchange)
