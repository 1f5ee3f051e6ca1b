"""An HTTP server and an SMTP server that keep what they are sent, and fail when a test asks."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """`answers` are given first, each once: a status, or seconds to wait before a 200."""

    url: str
    requests: list[Request] = field(default_factory=list)
    answers: list[int | float] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Mailbox:
    """`answers` are given to DATA first, each once, such as `451 later`."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def free_port() -> int:
    """One at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def receiver_open() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append(Request(self.path, dict(self.headers), body))
            answer = receiver.answers.pop(0) if receiver.answers else 200
            if isinstance(answer, float):
                time.sleep(answer)
                answer = 200
            self.send_response(answer)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that did not wait for the answer is what some tests want."""

    server = Server(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}/hook-s3cret")
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def mailbox_open() -> Iterator[Mailbox]:
    mailbox = Mailbox(free_port())

    class Handler:
        async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd calls
            self, _server: object, _session: object, envelope: Any, address: str, _options: object
        ) -> str:
            if address in mailbox.unknown:
                return "550 unknown"
            envelope.rcpt_tos.append(address)
            return "250 known"

        async def handle_DATA(  # noqa: N802 - the same
            self, _server: object, _session: object, envelope: Any
        ) -> str:
            if mailbox.answers:
                return mailbox.answers.pop(0)
            mail = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(mail, EmailMessage)
            mail["X-Envelope-To"] = ", ".join(envelope.rcpt_tos)
            mailbox.mails.append(mail)
            return "250 taken"

    controller = Controller(Handler(), hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()
