"""The Dataflow service's REST interface on loopback, as far as a client submits and waits."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

JOBS = re.compile(r"/v1b3/projects/([^/]+)/locations/([^/]+)/jobs(?:/([^/]+))?(/.*)?")
JOB_ID = "2026-01-01_00_00_00-1234567890"


class DataflowService:
    """Takes jobs and calls them done, or failed; remembers what was submitted.

    Args:
        state: State every job is in when it is asked for.
    """

    def __init__(self, state: str = "JOB_STATE_DONE") -> None:
        self.state = state
        self.jobs: list[dict[str, Any]] = []
        self.calls: list[str] = []

    @property
    def endpoint(self) -> str:
        """The value of ``--dataflow_endpoint``: the word localhost selects REST."""
        return f"http://localhost:{self._server.server_address[1]}"

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """The reply to a call."""
        self.calls.append(f"{method} {path}")
        match = JOBS.fullmatch(path)
        if match is None:
            return 404, {"error": {"code": 404, "message": path, "status": "NOT_FOUND"}}
        project, location, job, rest = match.groups()
        if method == "POST" and job is None:
            self.jobs.append(json.loads(body))
        if rest == "/messages":
            text = "the workers gave up: see the log"
            failed = {"messageText": text, "messageImportance": 4, "id": "1", "time": STAMP}
            return 200, {"jobMessages": [failed] if self.state.endswith("FAILED") else []}
        if rest == "/metrics":
            return 200, {"metrics": []}
        return 200, {
            "id": JOB_ID,
            "projectId": project,
            "location": location,
            "name": self.jobs[-1]["name"],
            "type": "JOB_TYPE_BATCH",
            "currentState": "JOB_STATE_RUNNING" if method == "POST" else self.state,
            "createTime": STAMP,
        }

    def __enter__(self) -> Self:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.partition("?")[0]
                status, reply = service.answer(self.command, path, body)
                data = json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_PUT = do_GET  # noqa: N815  # the base class's naming

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


STAMP = "2026-01-01T00:00:00Z"
