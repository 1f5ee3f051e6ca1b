"""The door to the LLM: one request to an OpenAI-compatible endpoint, one reply or one failure.

It does not retry, cache, count or judge; that is the scoring engine's. Each failure says whether
trying again can help, and whether it concerns this request or every request.
"""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

import httpx2
import openai
import orjson
from openai import AsyncOpenAI, DefaultAsyncHttpxClient, RequestOptions

from orchestration.errors import LlmError
from orchestration.resources.llm_http import AioHttpClient, completions_url
from orchestration.settings import LlmSettings

FORBIDDEN = "forbidden"
TOO_LONG = "too_long"
UNREACHABLE = "unreachable"  # no connection came about: the request cannot be the reason
# Else the SDK draws a random key for each request, which it never sends.
_OPTIONS: RequestOptions = {"idempotency_key": ""}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
# Of the SDK's HTTP library, by name: which library that is, is the SDK's own affair.
_NOT_CONNECTED = {"ConnectError", "ConnectTimeout"}
_MAX_TOKENS = 2**31 - 1  # of one call: what the ledger can hold
_IN_WORDS = "\n\nAnswer with one JSON object of this schema:\n"
_SCHEMA = ("response_format", "json_schema")
_TOO_LONG = ("context_length_exceeded", "exceed_context_size_error")


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
    limits: "Limits | None" = None


@dataclass(frozen=True)
class Limits:
    """What the endpoint says of itself (x-ratelimit-*), and the seconds until it takes a request, 0
    if it does now."""

    requests_per_minute: int | None
    tokens_per_minute: int | None
    seconds_until_free: float


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

    @classmethod
    def saying(cls, answer: str) -> Self:
        """With what the endpoint answered, and what to do."""
        return cls(
            f"The LLM endpoint answered {answer} What to do: check LLM_API_KEY, "
            "LLM_BASE_URL, LLM_MODEL and the account's credit; what is pending stays pending."
        )


class EndpointUnavailable(LlmError):
    """No call got an answer: the endpoint is down, unreachable or overloaded."""

    @classmethod
    def after(cls, calls: int, last: CallFailed) -> Self:
        """With the number of calls that failed and how the last one did, and what to do."""
        return cls(
            f"The LLM endpoint answered none of {calls} calls; the last one: {last.kind}: "
            f"{last.detail} What to do: wait until it is up again, or check LLM_BASE_URL, and "
            "lower LLM_CONCURRENCY if it is overloaded; what is pending stays pending."
        )


class Llm:
    """One client on one event loop. Get it from `open_llm`."""

    def __init__(self, client: AsyncOpenAI, settings: LlmSettings) -> None:
        self._client = client
        self._url = completions_url(settings)
        self._response_format = settings.response_format
        self.model = settings.model

    async def complete(self, request: Request) -> Reply:
        """Send one chat completion with a JSON schema.

        Raises CallFailed for this request, EndpointRefuses when none can succeed.
        """
        try:
            # What the SDK's typed method does to each message costs more CPU than all the rest.
            response = await self._client.post(
                self._url,
                cast_to=httpx2.Response,
                content=orjson.dumps(self._body(request)),
                options=_OPTIONS,
            )
        except openai.APIConnectionError as error:
            is_unreachable = type(error.__cause__).__name__ in _NOT_CONNECTED
            is_late = isinstance(error, openai.APITimeoutError)
            raise CallFailed(
                UNREACHABLE if is_unreachable else "timeout" if is_late else "connection",
                f"{error}: {error.__cause__!r}",
                is_transient=True,
            ) from error
        except openai.APIStatusError as error:
            raise _status_failure(error) from error
        headers = response.headers
        reply = _read(response.content, headers.get("x-request-id"))
        return replace(reply, limits=_limits(headers))

    def _body(self, request: Request) -> dict[str, Any]:
        messages = [dict(message) for message in request.messages]
        schema = dict(request.schema)
        body = {"model": self.model, "messages": messages, **request.parameters}
        if self._response_format == "json_schema":
            wanted = {"name": request.schema_name, "schema": schema, "strict": True}
            return {**body, "response_format": {"type": "json_schema", "json_schema": wanted}}
        messages[0]["content"] += f"{_IN_WORDS}{json.dumps(schema)}"
        if self._response_format == "json_object":
            return {**body, "response_format": {"type": "json_object"}}
        return body


@asynccontextmanager
async def open_llm(settings: LlmSettings) -> AsyncIterator[Llm]:
    """A client that is closed with its event loop; the SDK's own retries are off."""
    async with AsyncOpenAI(
        base_url=settings.base_url,
        api_key=settings.api_key.get_secret_value(),
        timeout=settings.timeout_seconds,
        max_retries=0,
        http_client=_http_client(settings),
    ) as client:
        yield Llm(client, settings)


def _http_client(settings: LlmSettings) -> httpx2.AsyncClient:
    if settings.transport == "aiohttp":
        return AioHttpClient(settings)
    most = settings.concurrency
    limits = httpx2.Limits(max_connections=most, max_keepalive_connections=most)
    return DefaultAsyncHttpxClient(limits=limits)


def _status_failure(error: openai.APIStatusError) -> Exception:
    """403 is here a failure of one call: gateways also use it for a prompt that they flag."""
    status = error.status_code
    body = error.response.text[:500]
    if status in {401, 402, 404, 405} or (status == 429 and "insufficient_quota" in body):
        return EndpointRefuses.saying(f"{status}: {body}")
    if status in {400, 422} and any(word in body for word in _SCHEMA):
        return EndpointRefuses(
            f"The LLM endpoint takes no JSON schema: {status}: {body} What to do: set "
            "LLM_RESPONSE_FORMAT to json_object, or to none where that is refused, too."
        )
    kinds = {403: FORBIDDEN, 429: "rate_limited"}
    kind = kinds.get(status, "server_error" if status >= 500 else "bad_request")
    if status in {400, 413} and any(code in body for code in _TOO_LONG):
        kind = TOO_LONG
    return CallFailed(
        kind,
        f"HTTP {status}: {body}",
        is_transient=status in {408, 409, 429} or status >= 500,
        http_status=status,
        retry_after=_seconds(error.response.headers.get("retry-after")),
        request_id=error.request_id,
    )


def _limits(headers: httpx2.Headers) -> Limits | None:
    """Of a reply with x-ratelimit-* headers."""
    per_minute = [headers.get(f"x-ratelimit-limit-{kind}") for kind in ("requests", "tokens")]
    if not any(per_minute):
        return None
    waits = [
        _duration(headers.get(f"x-ratelimit-reset-{kind}", ""))
        for kind in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{kind}") == "0"
    ]
    requests, tokens = (_number(_whole(value)) for value in per_minute)
    return Limits(requests, tokens, max(waits, default=0.0))


def _whole(header: str | None) -> int | None:
    return int(header) if header and header.isdecimal() else None


def _duration(text: str) -> float:
    """Seconds of "120ms", "1s", "6m0s"; 0 for what is no duration."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    return sum(float(n) * units[unit] for n, unit in _DURATION.findall(text))


def _seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None


def _read(body: bytes, request_id: str | None) -> Reply:
    """Pick the first choice out of the body; of a body of another shape, nothing but the body.

    Also of one whose words cannot be kept as text, such as half of a surrogate pair.
    """
    empty = Reply(body, request_id, None, None, None, None, None, None)
    try:
        answer = json.loads(body)
        choice = answer["choices"][0]
        message = choice["message"]
        usage = answer.get("usage") or {}
        details = usage.get("prompt_tokens_details") or {}
        counted = replace(
            empty,
            input_tokens=_number(usage.get("prompt_tokens")),
            cached_tokens=_number(details.get("cached_tokens")),
            output_tokens=_number(usage.get("completion_tokens")),
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return empty
    try:
        return replace(
            counted,
            content=_words(message.get("content")),
            refusal=_words(message.get("refusal")),
            finish_reason=_words(choice.get("finish_reason")),
        )
    except (ValueError, TypeError, AttributeError):
        return counted


def _words(value: object) -> str | None:
    """Raises TypeError or UnicodeEncodeError for what is no text, or none that can be kept."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {type(value).__name__}")
    value.encode()
    return value


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and 0 <= value <= _MAX_TOKENS else None
