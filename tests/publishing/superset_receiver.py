"""In place of Superset: the few addresses that Dagster asks, over real HTTP. It knows one user, and
drops nothing; the slow tests ask a real one."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USER, PASSWORD = "dagster", "secret-for-tests"
_TOKEN, _CSRF, _SESSION = "the-token", "the-csrf-token", "session=of-that-token"


class SupersetReceiver(ThreadingHTTPServer):
    """`dropped` holds what each accepted request named; `statuses` what a path answers instead."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.dropped: list[list[dict[str, Any]]] = []
        self.statuses: dict[str, int] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def tables(self) -> list[list[str]]:
        return [[named["datasource_name"] for named in request] for request in self.dropped]


class _Handler(BaseHTTPRequestHandler):
    server: SupersetReceiver

    def do_GET(self) -> None:
        if self.path == "/health":
            self._answer(200, "OK")
        elif self._is_logged_in():
            self._answer(200, {"result": _CSRF}, {"Set-Cookie": f"{_SESSION}; HttpOnly; Path=/"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/v1/security/login":
            is_user = (body["username"], body["password"]) == (USER, PASSWORD)
            self._answer(
                *((200, {"access_token": _TOKEN}) if is_user else (401, {"message": "no"}))
            )
        elif self._is_logged_in():
            session = (self.headers.get("X-CSRFToken"), self.headers.get("Cookie"))
            if session != (_CSRF, _SESSION):
                self._answer(400, {"message": "The CSRF session token is missing."})
                return
            if self.path not in self.server.statuses:
                self.server.dropped.append(body["datasources"])  # before who asked goes on
            self._answer(201, {})

    def _is_logged_in(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {_TOKEN}":
            return True
        self._answer(401, {"message": "no"})
        return False

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        status = self.server.statuses.get(self.path, status)
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: a test's output is not the place."""


@contextmanager
def receiving() -> Iterator[SupersetReceiver]:
    server = SupersetReceiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
