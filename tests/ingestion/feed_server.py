"""A local web server that serves what a test puts there, and feeds to put there."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """What a path answers. `hangs_after` lets it stop for good after so many bytes of the body."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs_after: int | None = None


class FeedServer(ThreadingHTTPServer):
    """Serves `answers` by path and remembers in `asked` which path was asked with what."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, Message]] = []
        self.is_over = threading.Event()
        self.under_way = self.most_at_once = 0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class _Handler(BaseHTTPRequestHandler):
    server: FeedServer

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers))
        self.server.under_way += 1
        self.server.most_at_once = max(self.server.most_at_once, self.server.under_way)
        time.sleep(0.01)
        self.server.under_way -= 1
        self._answer()

    def _answer(self) -> None:
        answer = self.server.answers.get(self.path, Answer(status=404))
        etag = answer.headers.get("ETag")
        if etag is not None and self.headers.get("If-None-Match") == etag:
            answer = Answer(status=304)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[: answer.hangs_after])
        if answer.hangs_after is not None:
            self.wfile.flush()
            self.server.is_over.wait(60)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: a test's output is not the place."""


@contextmanager
def serving() -> Iterator[FeedServer]:
    server = FeedServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.is_over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def rss(*items: str) -> bytes:
    head = '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>News</title>'
    return (head + "".join(items) + "</channel></rss>").encode()


def item(guid: str, text: str, date: str = "Tue, 03 Feb 2026 08:00:00 GMT") -> str:
    return (
        f'<item><guid isPermaLink="false">{escape(guid)}</guid><title>About {escape(guid)}</title>'
        f"<link>https://news.example.com/{escape(guid)}</link><pubDate>{date}</pubDate>"
        f"<description>{escape(text)}</description></item>"
    )
