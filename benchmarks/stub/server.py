"""The stub's process: `python -m benchmarks.stub.server --port N [--requests-per-minute ...]`.

HTTP/1.1 on one event loop; /v1/chat/completions, /served and /questions. What is answered is in
completions.py, what is refused in limits.py, what fails in faults.py, what is counted in counts.py.
"""

import argparse
import asyncio
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import httptools
import uvloop

from benchmarks.stub import completions, faults, wire
from benchmarks.stub.completions import Asked, Completion, NotARequest
from benchmarks.stub.counts import Served
from benchmarks.stub.faults import Each, Faults, Share
from benchmarks.stub.limits import Limits, Refusal, retry_headers

_SLOWER_SECONDS = 1.0
_FAILED = {
    "rate_limited_without_a_word": (429, "slow down"),
    "server_error": (500, "the server had an error"),
    "unavailable": (503, "the server is overloaded"),
}
_BROKEN_OFF = ("dropped", "reset", "closed_half_way")
_PAGE = b"<html><body><h1>Welcome to the gateway</h1></body></html>"


@dataclass(frozen=True)
class Stub:
    """How it answers, and what it has answered so far."""

    latency_seconds: float
    limits: Limits
    faults: Faults
    reserves_output: bool
    served: Served = field(default_factory=Served)

    def report(self) -> dict[str, Any]:
        """The body of /served. `taken` went through each limit, `levels` is what is left."""
        now = time.monotonic()
        levels = {name: bucket.level(now) for name, bucket in self.limits.buckets.items()}
        taken = {name: bucket.taken for name, bucket in self.limits.buckets.items()}
        spent = {"at": now, "cpu_seconds": time.process_time()}
        return {**self.served.totals(), **spent, "levels": levels, "taken": taken}


class Connection(asyncio.Protocol):
    """One client's connection; its requests come one after the other."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._url = b""
        self._body: list[bytes] = []
        self._waits: asyncio.TimerHandle | None = None
        self._is_answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def connection_lost(self, error: Exception | None) -> None:
        """What the client no longer waits for is not answered, and does not count."""
        del error
        self._transport = None
        if self._waits:
            self._waits.cancel()
        self._end()

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if self._transport:
                self._transport.abort()

    def on_message_begin(self) -> None:
        """Called by the parser."""
        self._url, self._body = b"", []

    def on_url(self, url: bytes) -> None:
        """Called by the parser."""
        self._url += url

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self._url == b"/served":
            self._write(200, json.dumps(self._stub.report()).encode(), {})
        elif self._url == b"/questions":
            self._write(200, json.dumps(self._stub.served.questions()).encode(), {})
        elif self._url == b"/v1/chat/completions":
            self._complete(b"".join(self._body))
        else:
            self._fail(404, "there is nothing here", {})

    def _complete(self, body: bytes) -> None:
        self._stub.served.begin()
        self._is_answering = True
        try:
            asked = completions.read(body)
        except NotARequest as error:
            self._fail(400, str(error), {})
            return
        self._stub.served.ask(asked)
        answer = completions.good(asked)
        refusal = self._stub.limits.admit(self._charged(asked, answer), time.monotonic())
        if refusal:
            self._refuse(refusal)
            return
        fault = self._stub.faults.next()
        if fault:
            self._stub.served.faults[fault] += 1
        if fault == "rate_limited":
            self._refuse(Refusal("requests", 0.5))
        elif fault in _FAILED:
            self._fail(*_FAILED[fault], {})
        elif fault != "hang":
            if fault in faults.OF_THE_MODEL:
                answer = completions.spoiled(fault, answer, asked.most_tokens)
            seconds = self._stub.latency_seconds + (_SLOWER_SECONDS if fault == "slow" else 0)
            loop = asyncio.get_running_loop()
            self._waits = loop.call_later(seconds, self._answer, asked, answer, fault)

    def _charged(self, asked: Asked, answer: Completion) -> int:
        """As OpenAI does it: the larger of the estimate and of what the request allows."""
        if self._stub.reserves_output:
            return max(asked.prompt_tokens, asked.most_tokens)
        return asked.prompt_tokens + answer.output_tokens

    def _answer(self, asked: Asked, answer: Completion, fault: str | None) -> None:
        served = self._stub.served
        request_id = f"req_{served.received}"
        headers = {"openai-processing-ms": f"{self._stub.latency_seconds * 1_000:.0f}"}
        headers |= self._stub.limits.headers(time.monotonic()) | {"x-request-id": request_id}
        body = answer.to_json(f"chatcmpl-{request_id}")
        if fault in _BROKEN_OFF:
            self._break_off(fault, wire.response(200, body, headers))
        elif fault in faults.OF_THE_BODY:
            self._write(200, _spoiled_body(fault, body), headers)
        else:
            served.answer(asked, answer)
            self._write(200, body, headers)

    def _break_off(self, fault: str | None, whole: bytes) -> None:
        """The connection ends, and the request with it."""
        if self._transport is None:
            return
        if fault == "reset":
            self._waits = wire.reset_half_way(self._transport, whole)
        elif fault == "closed_half_way":
            wire.close_half_way(self._transport, whole)
        else:
            wire.drop(self._transport)

    def _refuse(self, refusal: Refusal) -> None:
        self._stub.served.refused += 1
        if math.isinf(refusal.seconds):
            message = f"Request too large for {refusal.limit} per min."
        else:
            message = (
                f"Rate limit reached on {refusal.limit} per min. "
                f"Please try again in {refusal.seconds * 1_000:.0f}ms."
            )
        headers = retry_headers(refusal) | self._stub.limits.headers(time.monotonic())
        self._fail(429, message, headers, code="rate_limit_exceeded", kind=refusal.limit)

    def _fail(
        self,
        status: int,
        message: str,
        headers: Mapping[str, str],
        code: str | None = None,
        kind: str = "invalid_request_error",
    ) -> None:
        error = {"message": message, "type": kind, "param": None, "code": code}
        self._write(status, json.dumps({"error": error}).encode(), headers)

    def _write(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        if self._transport:
            self._transport.write(wire.response(status, body, headers))
        self._end()

    def _end(self) -> None:
        if self._is_answering:
            self._stub.served.in_flight -= 1
        self._is_answering = False


def _spoiled_body(fault: str | None, body: bytes) -> bytes:
    if fault == "empty_body":
        return b""
    return body[: len(body) // 2] if fault == "malformed_body" else _PAGE


async def serve(port: int, stub: Stub) -> None:
    """On 127.0.0.1 until cancelled."""
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(stub), "127.0.0.1", port, backlog=1_024
    )
    await server.serve_forever()


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(prog="stub", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency-ms", type=float, default=200)
    parser.add_argument("--requests-per-minute", type=int)
    parser.add_argument("--tokens-per-minute", type=int)
    parser.add_argument("--reserve-output", action="store_true")
    parser.add_argument("--faults", type=float, default=0.0, help="share of the requests, 0 to 1")
    parser.add_argument("--kinds", nargs="+", choices=faults.KINDS, default=faults.KINDS)
    parser.add_argument("--each", type=int, help="so many faults of each kind, instead of a share")
    parser.add_argument("--among", type=int, default=1_000, help="the first requests, for --each")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chance: Faults = Share(given.faults, given.seed, given.kinds)
    if given.each is not None:
        chance = Each(given.each, given.among, given.seed, given.kinds)
    limits = Limits(given.requests_per_minute, given.tokens_per_minute, time.monotonic())
    stub = Stub(
        given.latency_ms / 1_000,
        limits,
        chance,
        given.reserve_output,
    )
    uvloop.run(serve(given.port, stub))


if __name__ == "__main__":
    main()
