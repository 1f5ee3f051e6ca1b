"""The door to the LLM: one request to an OpenAI-compatible endpoint, one reply or one failure.

It does not retry, cache, count or judge; that is the scoring engine's. Each failure says whether
trying again can help, and whether it concerns this request or every request.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import openai
from openai import AsyncOpenAI

from orchestration.errors import LlmError
from orchestration.settings import LlmSettings


@dataclass(frozen=True)
class Request:
    """What is sent. `parameters` are top-level fields such as temperature and seed."""

    messages: Sequence[Mapping[str, str]]
    schema_name: str
    schema: Mapping[str, Any]
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Reply:
    """What came back with HTTP 200; whatever is not there is None."""

    raw_body: bytes
    request_id: str | None
    content: str | None
    refusal: str | None
    finish_reason: str | None
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None


class CallFailed(Exception):
    """The request got no usable reply. `kind` is the class that the ledger keeps."""

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        is_transient: bool,
        http_status: int | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.is_transient = is_transient
        self.http_status = http_status
        self.retry_after = retry_after
        self.request_id = request_id


class EndpointRefuses(LlmError):
    """Every call will fail until a setting changes: key, address, model or credit."""


class Llm:
    """One client on one event loop. Get it from `open_llm`."""

    def __init__(self, client: AsyncOpenAI, model: str) -> None:
        self._client = client
        self.model = model

    async def complete(self, request: Request) -> Reply:
        """Send one chat completion with a JSON schema.

        Raises CallFailed for this request, EndpointRefuses when none can succeed.
        """
        messages: Any = request.messages
        try:
            response = await self._client.chat.completions.with_raw_response.create(
                model=self.model,
                messages=messages,
                response_format={
                    "type": "json_schema",
                    "json_schema": {
                        "name": request.schema_name,
                        "schema": dict(request.schema),
                        "strict": True,
                    },
                },
                extra_body=dict(request.parameters),
            )
        except openai.APITimeoutError as error:
            raise CallFailed("timeout", str(error), is_transient=True) from error
        except openai.APIConnectionError as error:
            detail = f"{error}: {error.__cause__!r}"
            raise CallFailed("connection", detail, is_transient=True) from error
        except openai.APIStatusError as error:
            raise _status_failure(error) from error
        return _read(response.content, response.headers.get("x-request-id"))


@asynccontextmanager
async def open_llm(settings: LlmSettings) -> AsyncIterator[Llm]:
    """A client that is closed with its event loop; the SDK's own retries are off."""
    async with AsyncOpenAI(
        base_url=settings.base_url,
        api_key=settings.api_key.get_secret_value(),
        timeout=settings.timeout_seconds,
        max_retries=0,
    ) as client:
        yield Llm(client, settings.model)


def _status_failure(error: openai.APIStatusError) -> Exception:
    status = error.status_code
    body = error.response.text[:500]
    if status in {401, 402, 403, 404} or (status == 429 and "insufficient_quota" in body):
        return EndpointRefuses(
            f"The LLM endpoint answered {status}: {body} What to do: check LLM_API_KEY, "
            "LLM_BASE_URL, LLM_MODEL and the account's credit; what is pending stays pending."
        )
    kind = "rate_limited" if status == 429 else "server_error" if status >= 500 else "bad_request"
    return CallFailed(
        kind,
        f"HTTP {status}: {body}",
        is_transient=status in {408, 409, 429} or status >= 500,
        http_status=status,
        retry_after=_seconds(error.response.headers.get("retry-after")),
        request_id=error.request_id,
    )


def _seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None


def _read(body: bytes, request_id: str | None) -> Reply:
    """Pick the first choice out of the body; of a body of another shape, nothing but the body."""
    empty = Reply(body, request_id, None, None, None, None, None, None)
    try:
        content = json.loads(body)
        choice = content["choices"][0]
        message = choice["message"]
        usage = content.get("usage") or {}
        details = usage.get("prompt_tokens_details") or {}
        return replace(
            empty,
            content=message.get("content"),
            refusal=message.get("refusal"),
            finish_reason=choice.get("finish_reason"),
            input_tokens=usage.get("prompt_tokens"),
            cached_tokens=details.get("cached_tokens"),
            output_tokens=usage.get("completion_tokens"),
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return empty
