"""A real HTTP endpoint that answers by script: what the offline analyst never says.

Like a gateway between the pipeline and a model; it keeps what it was asked.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Script = Callable[[str], tuple[int, object]]
"""From the prompt to a status and the JSON body to send."""
RequestScript = Callable[[Mapping[str, Any]], tuple[int, object]]
"""From the whole request to the same."""


def completion(content: object) -> dict[str, object]:
    """A chat completion whose message has this content."""
    message = {"role": "assistant", "content": content, "refusal": None}
    return {
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5},
    }


def quoting(*quotes: str) -> dict[str, object]:
    """A completion with one finding for each quote."""
    finding = {
        "dimension": "operational",
        "level": 2,
        "status": "confirmed",
        "event_type": "recall",
        "event_date": None,
        "keywords": ["recall"],
        "rationale": "It says so.",
    }
    reply = {"relevance": 1, "findings": [finding | {"quote": quote} for quote in quotes]}
    return completion(json.dumps(reply))


@contextmanager
def endpoint(script: Script) -> Iterator[tuple[str, list[str]]]:
    """The base URL of an endpoint that follows the script, and the prompts that reached it."""
    asked: list[str] = []

    def of_request(request: Mapping[str, Any]) -> tuple[int, object]:
        asked.append(request["messages"][-1]["content"])
        return script(asked[-1])

    with gateway(of_request) as url:
        yield url, asked


@contextmanager
def gateway(script: RequestScript) -> Iterator[str]:
    """The base URL of an endpoint that looks at all of a request."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, answer = script(request)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Nothing: a test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
