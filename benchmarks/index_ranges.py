"""Clients for many ranges of one file: requests on threads, fsspec, obstore.

    python benchmarks/index_ranges.py [--ranges 69] [--latency 0.03]

A server on loopback answers each call after a latency like that of a bucket. The ranges are those
of a GFS file's wanted fields: a megabyte each, with gaps between. ``obstore`` is not needed by
the project and is left out where it is not installed. Seconds of the wall and of the processor.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import requests
from requests.adapters import HTTPAdapter

LENGTH, GAP = 1_000_000, 2_000_000
BODY = memoryview(bytes(LENGTH))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    latency, size = 0.0, 0

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(self.size))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()

    def do_GET(self) -> None:
        time.sleep(self.latency)
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
        first, last = map(int, match.groups() if match else ("0", "0"))
        self.send_response(206)
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Content-Range", f"bytes {first}-{last}/{self.size}")
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.end_headers()
        self.wfile.write(BODY[: last - first + 1])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def by_requests(url: str, spans: list[tuple[int, int]], threads: int) -> int:
    """Kept connections on threads, as the project's client has them."""
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(pool_maxsize=threads))

        def one(span: tuple[int, int]) -> int:
            headers = {"Range": f"bytes={span[0]}-{span[1] - 1}"}
            with session.get(url, headers=headers) as answer:
                return len(answer.content)

        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(one, spans))


def by_fsspec(url: str, spans: list[tuple[int, int]], threads: int) -> int:
    """``cat_ranges`` of fsspec's own HTTP client."""
    files = fsspec.filesystem("http", asynchronous=False, skip_instance_cache=True)
    starts, ends = ([span[end] for span in spans] for end in (0, 1))
    raw = files.cat_ranges([url] * len(spans), starts, ends, batch_size=threads)
    return sum(map(len, raw))


def by_obstore(url: str, spans: list[tuple[int, int]], threads: int) -> int:
    """``get_range_async`` of obstore, as many at once."""
    import obstore  # noqa: PLC0415  # not needed by the project
    from obstore.store import HTTPStore  # noqa: PLC0415

    base, _, name = url.rpartition("/")
    store = HTTPStore.from_url(base, client_options={"allow_http": True})

    async def every() -> int:
        limit = asyncio.Semaphore(threads)

        async def one(start: int, end: int) -> int:
            async with limit:
                return len(await obstore.get_range_async(store, name, start=start, end=end))

        return sum(await asyncio.gather(*(one(*span) for span in spans)))

    return asyncio.run(every())


CLIENTS: dict[str, Callable[[str, list[tuple[int, int]], int], int]] = {
    "requests": by_requests,
    "fsspec": by_fsspec,
    "obstore": by_obstore,
}


def measured(name: str, url: str, count: int, threads: int) -> dict[str, float]:
    """One client in a process of its own, apart from the server."""
    spans = [(n * (LENGTH + GAP), n * (LENGTH + GAP) + LENGTH) for n in range(count)]
    CLIENTS[name](url, spans[:2], threads)  # what is imported and made once
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    came = CLIENTS[name](url, spans, threads)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    if came != count * LENGTH:
        sys.exit(f"{name}: {came} bytes came")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "processor": used}


def main() -> None:
    """Measure every client with several numbers of calls at once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranges", type=int, default=69)
    parser.add_argument("--latency", type=float, default=0.03)
    parser.add_argument("--one", nargs=3, metavar=("CLIENT", "URL", "AT_ONCE"))
    args = parser.parse_args()
    if args.one:
        name, url, threads = args.one
        print(json.dumps(measured(name, url, args.ranges, int(threads))))
        return
    _Handler.latency, _Handler.size = args.latency, args.ranges * (LENGTH + GAP)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}/file"
    print(f"{'client':10}{'at once':>8}{'wall, s':>10}{'processor, s':>14}")
    try:
        for name in CLIENTS:
            if importlib.util.find_spec(name) is None:
                continue
            for threads in (1, 6, 16):
                command = [sys.executable, __file__, "--ranges", str(args.ranges)]
                command += ["--one", name, url, str(threads)]
                said = subprocess.run(command, capture_output=True, text=True, check=True)
                found = json.loads(said.stdout.splitlines()[-1])
                row = f"{found['wall']:>10.2f}{found['processor']:>14.2f}"
                print(f"{name:10}{threads:>8}{row}", flush=True)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


if __name__ == "__main__":
    main()
