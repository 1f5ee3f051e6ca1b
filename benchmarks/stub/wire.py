"""HTTP responses as they leave the stub: whole, or broken off in the ways that networks know.

Nothing here knows what a response says.
"""

import asyncio
import socket
import struct
from collections.abc import Mapping

_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Error",
    503: "Service Unavailable",
}
_RESET_AFTER_SECONDS = 0.02  # the half of the answer has left by then


def response(status: int, body: bytes, headers: Mapping[str, str]) -> bytes:
    """A whole one, with its length."""
    lines = [f"HTTP/1.1 {status} {_REASONS[status]}", "content-type: application/json"]
    lines += [f"content-length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def close_half_way(transport: asyncio.Transport, whole: bytes) -> None:
    """Half of it, then an orderly end of the connection."""
    transport.write(whole[: len(whole) // 2])
    transport.close()


def drop(transport: asyncio.Transport) -> None:
    """A TCP reset instead of an answer."""
    own: socket.socket = transport.get_extra_info("socket")
    own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def reset_half_way(transport: asyncio.Transport, whole: bytes) -> asyncio.TimerHandle:
    """Half of it, then a TCP reset."""
    transport.write(whole[: len(whole) // 2])
    return asyncio.get_running_loop().call_later(_RESET_AFTER_SECONDS, drop, transport)
