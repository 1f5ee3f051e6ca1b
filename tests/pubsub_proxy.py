"""Between the pipeline and the emulator, a real gRPC server that refuses what a test tells it to:
the emulator itself knows neither permissions nor quotas, and is never away.

Streams whose client is gone are ended in order towards the emulator. It goes on leasing messages
to a stream that merely broke, for minutes, which the service it stands for does not.

As a process of its own, `python -m tests.pubsub_proxy EMULATOR PORT`, it refuses nothing.
"""

import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import grpc

from orchestration.local.processes import Part

_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_SECONDS = 60.0

Refusal = tuple[grpc.StatusCode, str]


class Proxy(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Passes each call on, except those of `refused` methods; counts the calls."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.host = ""
        self.refused: dict[str, Refusal] = {}
        self.calls = Counter[str]()
        self._channel = channel
        self._streams: list[SimpleQueue[bytes | None]] = []

    def refuse(self, code: grpc.StatusCode, *methods: str, details: str = "refused") -> None:
        """Also ends the streams that are open."""
        self.refused.update(dict.fromkeys(methods, (code, details)))
        for stream in self._streams:
            stream.put(None)

    def allow(self) -> None:
        """Refuse nothing any more."""
        self.refused.clear()

    def service(self, call: Any) -> Any:
        name = call.method.rpartition("/")[2]
        if name == "StreamingPull":
            return grpc.stream_stream_rpc_method_handler(self._stream(name, call.method))
        return grpc.unary_unary_rpc_method_handler(self._unary(name, call.method))

    def _unary(self, name: str, method: str) -> Callable[[bytes, Any], bytes]:
        def pass_on(request: bytes, context: Any) -> bytes:
            self._meet(name, context)
            seconds = min(_SECONDS, context.time_remaining() or _SECONDS)
            try:
                answer: bytes = self._channel.unary_unary(method)(request, timeout=seconds)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())
            return answer

        return pass_on

    def _stream(self, name: str, method: str) -> Callable[[Iterator[bytes], Any], Iterator[bytes]]:
        def pass_on(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
            self._meet(name, context)
            passed: SimpleQueue[bytes | None] = SimpleQueue()
            Thread(target=_forward, args=(requests, passed), daemon=True).start()
            self._streams.append(passed)
            try:
                yield from self._channel.stream_stream(method)(iter(passed.get, None))
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())
            self._meet(name, context)

        return pass_on

    def _meet(self, name: str, context: Any) -> None:
        self.calls[name] += 1
        refusal = self.refused.get(name) or self.refused.get("*")
        if refusal:
            context.abort(*refusal)


def _forward(requests: Iterator[bytes], passed: "SimpleQueue[bytes | None]") -> None:
    """Until the client ends or dies: then grpc raises a bare RpcError."""
    with suppress(grpc.RpcError):
        for request in requests:
            passed.put(request)
    passed.put(None)


@contextmanager
def open_proxy(emulator_host: str, port: int = 0) -> Iterator[Proxy]:
    """A proxy of the emulator, at `host`; port 0 is any."""
    with grpc.insecure_channel(emulator_host, options=_UNLIMITED) as channel:
        proxy = Proxy(channel)
        server = grpc.server(ThreadPoolExecutor(16), [proxy], options=_UNLIMITED)
        proxy.host = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
        server.start()
        try:
            yield proxy
        finally:
            server.stop(0).wait()


def proxy_part(emulator_host: str, port: int, log: Path) -> Part:
    """The process: where PostgreSQL is restarted, no gRPC server can run, for it does not survive a
    fork."""
    command = [sys.executable, "-m", __name__, emulator_host, str(port)]
    return Part("pubsub-proxy", command, log, env={})


if __name__ == "__main__":
    with open_proxy(sys.argv[1], int(sys.argv[2])):
        signal.pause()
