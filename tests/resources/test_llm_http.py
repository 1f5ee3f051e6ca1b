"""The door to the LLM over real sockets: what a connection can do to a call."""

import asyncio
import gzip
import socket
from collections.abc import Callable

import pytest

from orchestration.resources.llm import CallFailed, Reply, Request, open_llm
from orchestration.settings import LlmSettings

REQUEST = Request([{"role": "user", "content": "Zürich"}], "brief", {"type": "object"}, {})
BODY = b'{"choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}]}'
HEAD = b"HTTP/1.1 200 OK\r\nx-request-id: req-1\r\n"


def answer(body: bytes, *headers: bytes) -> bytes:
    lines = b"".join(header + b"\r\n" for header in (*headers, b"content-length: %d" % len(body)))
    return HEAD + lines + b"\r\n" + body


def ask(says: Callable[[str], bytes | None], timeout_seconds: float = 5.0) -> tuple[Reply, bytes]:
    """The reply of a server that answers each request with these bytes and hangs up, or hangs."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"}}}"))
        said = says(heard[-1].split()[1].decode())
        if said is None:
            await reader.read()
        else:
            writer.write(said)
        writer.close()

    async def main() -> Reply:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, open_llm(settings(port, timeout_seconds)) as llm:
            return await llm.complete(REQUEST)

    return asyncio.run(main()), heard[-1]


def settings(port: int, timeout_seconds: float) -> LlmSettings:
    return LlmSettings.model_validate(
        {
            "base_url": f"http://127.0.0.1:{port}/v1/",
            "api_key": "secret",
            "model": "m",
            "timeout_seconds": timeout_seconds,
        }
    )


def test_a_call_goes_to_the_address_with_the_key_and_its_body_comes_back_raw() -> None:
    reply, heard = ask(lambda path: answer(BODY))
    assert (reply.raw_body, reply.content, reply.request_id) == (BODY, "{}", "req-1")
    assert heard.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert b"authorization: bearer secret\r\n" in heard.lower()
    assert b"content-type: application/json\r\n" in heard.lower()
    assert "Zürich".encode() in heard


def test_a_compressed_answer_is_kept_as_what_it_says() -> None:
    reply, _ = ask(lambda path: answer(gzip.compress(BODY), b"content-encoding: gzip"))
    assert (reply.raw_body, reply.content) == (BODY, "{}")


def test_a_moved_endpoint_is_followed() -> None:
    moved = b"HTTP/1.1 308 Moved\r\nconnection: close\r\n"
    moved += b"location: /v2/there\r\ncontent-length: 0\r\n\r\n"
    reply, heard = ask(lambda path: answer(BODY) if path == "/v2/there" else moved)
    assert reply.content == "{}"
    assert heard.startswith(b"POST /v2/there ")


@pytest.mark.parametrize("said", [b"", answer(BODY)[:-10]])
def test_a_dropped_connection_is_no_timeout_and_the_endpoint_was_reached(said: bytes) -> None:
    with pytest.raises(CallFailed) as failed:
        ask(lambda path: said)
    assert (failed.value.kind, failed.value.is_transient) == ("connection", True)


def test_silence_is_a_timeout() -> None:
    with pytest.raises(CallFailed) as failed:
        ask(lambda path: None, timeout_seconds=0.2)
    assert failed.value.kind == "timeout"


def test_where_nobody_listens_the_endpoint_is_unreachable() -> None:
    async def main() -> Reply:
        async with open_llm(settings(port, 5.0)) as llm:
            return await llm.complete(REQUEST)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound, not listening: a connection is refused
        port = free.getsockname()[1]
        with pytest.raises(CallFailed) as failed:
            asyncio.run(main())
    assert failed.value.kind == "unreachable"
