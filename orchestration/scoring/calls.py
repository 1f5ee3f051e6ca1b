"""One question to the LLM and its answer: the cache key, and the judgement on a reply."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from orchestration.resources.llm import Reply, Request
from orchestration.scoring.prompts import Prompt
from orchestration.settings import LlmSettings

OK = "ok"


@dataclass(frozen=True)
class Call:
    """A rendered prompt for the model of `llm`, asked for the sake of one work item.

    `check` may find fault with a reply that fits the schema. `asked_anew_in` is a generation that
    does not take what the cache knows from others.
    """

    item_id: int
    prompt: Prompt
    places: Mapping[str, str]
    llm: LlmSettings
    check: Callable[[Any], str | None] | None = None
    asked_anew_in: int | None = None

    @cached_property
    def request(self) -> Request:
        """What goes over the wire. No date, batch or run is in it: it is what the cache knows."""
        return Request(
            messages=self.prompt.render(self.places),
            schema_name=self.prompt.step,
            schema=self.prompt.schema,
            parameters={
                **self.llm.parameters,
                self.llm.token_limit_field: self.llm.max_output_tokens,
            },
        )

    @cached_property
    def cache_key(self) -> str:
        """Hash of step, rendered prompt, model, parameters and schema (64 hex digits)."""
        return self.key_of(self.request)

    def key_of(self, request: Request) -> str:
        """The same for another request that answers this call, such as a repair."""
        llm, step = self.llm, self.prompt.step
        parts: list[Any] = [step, request.messages, llm.model, request.parameters, request.schema]
        if self.asked_anew_in is not None:
            parts.append(self.asked_anew_in)
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Answer:
    """What became of a call. Only with outcome `ok` is there a parsed `reply`.

    `calls` counts the attempts of this time: 0 when the cache answered.
    """

    outcome: str
    detail: str
    is_transient: bool
    reply: Any = None
    response_id: int | None = None
    calls: int = 0
    cost_usd: Decimal | None = Decimal(0)


class Work(Protocol):
    """Who has calls for the engine. All three may use the connection; they are called in turn."""

    def more(self) -> Sequence[Call] | None:
        """The next calls, soon: none if some may follow; None when there are no more."""

    def keep(self, answered: Sequence[tuple[Call, Answer]]) -> Sequence[Call]:
        """These calls are answered, well or not. Returns the calls that follow from that."""

    def keep_alive(self) -> None:
        """Called every quarter of a lease."""


def judge(call: Call, reply: Reply) -> tuple[str, str, BaseModel | None]:
    """Outcome class, a sentence, and the parsed reply if it is one that counts."""
    if reply.refusal:
        return "refusal", f"the model refused: {reply.refusal[:300]}", None
    if reply.finish_reason == "length":
        return "truncated", f"cut off after {call.llm.max_output_tokens} tokens", None
    if reply.finish_reason == "content_filter":
        return "content_filter", "the endpoint's content filter took the answer away", None
    if reply.content is None:
        return "unreadable", "the body holds no chat completion with text that can be kept", None
    return parse(call, reply.content)


def parse(call: Call, content: str) -> tuple[str, str, BaseModel | None]:
    """Like `judge`, for the text of a finished message."""
    try:
        parsed = call.prompt.reply.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return "schema_invalid", f"the answer breaks the schema at {where}: {first['msg']}", None
    fault = call.check(parsed) if call.check else None
    return ("schema_invalid", fault, None) if fault else (OK, "", parsed)
