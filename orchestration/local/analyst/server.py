"""The analyst's HTTP side: /v1/chat/completions, /v1/models, and faults for tests."""

import argparse
import json
import uuid
from typing import Any

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestration.local.analyst import MODEL
from orchestration.local.analyst.conforming import Unsatisfiable, conform
from orchestration.local.analyst.faults import Faults, instead_of_answer, spoil
from orchestration.local.analyst.reading import answer

_CHARACTERS_PER_TOKEN = 4


def build_app() -> Starlette:
    """The ASGI application, with no fault switched on."""
    app = Starlette(
        routes=[
            Route("/v1/models", _models),
            Route("/v1/chat/completions", _complete, methods=["POST"]),
            Route("/faults", _set_faults, methods=["POST", "DELETE"]),
            Route("/served", _served),
        ]
    )
    app.state.faults = Faults()
    app.state.served = 0
    return app


async def _models(_request: Request) -> Response:
    model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "supplier-risk"}
    return JSONResponse({"object": "list", "data": [model]})


async def _complete(request: Request) -> Response:
    try:
        body = await request.json()
        messages = body["messages"]
        prompt = "\n\n".join(str(m["content"]) for m in messages if m["role"] == "user")
        asked = body["response_format"]["json_schema"]
        candidate = answer(str(asked["name"]), prompt)
        content = json.dumps(conform(candidate, asked["schema"]), ensure_ascii=False)
    except (ValueError, KeyError, TypeError, IndexError, Unsatisfiable) as error:
        message = f"not a chat completion request with a json_schema that can be met: {error!r}"
        return JSONResponse({"error": {"message": message}}, status_code=400)
    fault = request.app.state.faults.take(prompt)
    if fault and (response := await instead_of_answer(fault)):
        return response
    request.app.state.served += 1
    completion = _completion(messages, content)
    if fault and fault.kind != "latency":
        return spoil(completion, fault)
    return JSONResponse(completion, headers={"x-request-id": str(completion["id"])})


def _completion(messages: list[dict[str, Any]], content: str) -> dict[str, Any]:
    read = sum(len(str(message["content"])) for message in messages) // _CHARACTERS_PER_TOKEN
    written = len(content) // _CHARACTERS_PER_TOKEN
    message = {"role": "assistant", "content": content, "refusal": None}
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex[:24]}",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        },
    }


async def _set_faults(request: Request) -> Response:
    if request.method == "DELETE":
        request.app.state.faults.switch_off()
        return Response(status_code=204)
    try:
        request.app.state.faults.switch_on(await request.body())
    except ValidationError as error:
        return JSONResponse({"error": {"message": str(error)}}, status_code=400)
    return Response(status_code=204)


async def _served(request: Request) -> Response:
    """How many completions were served: tests compare it with the ledger."""
    return JSONResponse({"completions": request.app.state.served})


def main() -> None:
    """Serve on 127.0.0.1."""
    parser = argparse.ArgumentParser(prog="offline-analyst", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    uvicorn.run(build_app(), host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main()
