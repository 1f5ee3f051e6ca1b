"""Faults that tests switch on: what the analyst does instead of answering, and how often.

`POST /faults` with a JSON list such as [{"kind": "rate_limit", "times": 3, "retry_after": 1}];
each request takes the first fault that has any left. `DELETE /faults` ends them all.
"""

import asyncio
import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.responses import JSONResponse, Response

Kind = Literal[
    "latency",
    "rate_limit",
    "server_error",
    "hang",
    "cut_off",
    "refusal",
    "invalid_json",
    "content_filter",
    "unauthorized",
]
_HANG_SECONDS = 3_600


class Fault(BaseModel):
    """One kind of fault. `times` None means always; `contains` limits it to matching prompts."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    times: int | None = Field(None, ge=1)
    seconds: float = Field(1.0, ge=0)
    retry_after: float = Field(1.0, ge=0)
    contains: str = ""


_faults: TypeAdapter[list[Fault]] = TypeAdapter(list[Fault])


class Faults:
    """The faults that are switched on."""

    def __init__(self) -> None:
        self._active: list[Fault] = []

    def switch_on(self, body: bytes) -> None:
        """Replace the active faults. Raises pydantic.ValidationError."""
        self._active = _faults.validate_json(body)

    def switch_off(self) -> None:
        """Answer normally again."""
        self._active = []

    def take(self, prompt: str) -> Fault | None:
        """The fault for this request, if any, counted down."""
        for fault in self._active:
            if fault.contains in prompt and fault.times != 0:
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None


async def instead_of_answer(fault: Fault) -> Response | None:
    """What a fault of the transport answers; None for one that changes the completion."""
    if fault.kind == "latency":
        await asyncio.sleep(fault.seconds)
    elif fault.kind == "hang":
        await asyncio.sleep(_HANG_SECONDS)
    elif fault.kind == "rate_limit":
        return _error(429, "rate limit", {"Retry-After": str(fault.retry_after)})
    elif fault.kind == "server_error":
        return _error(500, "internal error", {})
    elif fault.kind == "unauthorized":
        return _error(401, "wrong API key", {})
    return None


def spoil(completion: dict[str, object], fault: Fault) -> Response:
    """The completion, with the fault in it."""
    choice = {"index": 0, "finish_reason": "stop", "logprobs": None}
    content = json.loads(json.dumps(completion))
    message = content["choices"][0]["message"]
    if fault.kind == "cut_off":
        choice["finish_reason"] = "length"
        message["content"] = message["content"][: len(message["content"]) // 2]
    elif fault.kind == "refusal":
        message |= {"content": None, "refusal": "I cannot help with that."}
    elif fault.kind == "invalid_json":
        message["content"] = message["content"][:-2] + ", oops"
    elif fault.kind == "content_filter":
        choice["finish_reason"] = "content_filter"
        message["content"] = None
    content["choices"] = [{**choice, "message": message}]
    return JSONResponse(content)


def _error(status: int, message: str, headers: dict[str, str]) -> Response:
    return JSONResponse({"error": {"message": message}}, status_code=status, headers=headers)
