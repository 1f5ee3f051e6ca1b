"""What the stub answers: something valid for any prompt of this project, made of parts that are
ready, and the ways in which a fault spoils it. Pure; no HTTP.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

from benchmarks.stub import MODEL

_CHARACTERS_PER_TOKEN = 4
_QUOTE = 160
_MARK = "<<<BEGIN "  # of the document, also where an answer to it is to be repaired
_HUGE = 10_000_000
_FINDING = {
    "dimension": "operational",
    "level": 2,
    "status": "confirmed",
    "event_type": "quality_defect",
    "event_date": None,
    "keywords": ["quality", "defect"],
    "rationale": "One product is affected and can be replaced within days.",
}
_BRIEF = {"sentences": [{"text": "One product had a defect.", "cites": [1]}]}
_MENTIONS: dict[str, Any] = {"suppliers": [], "others": []}  # whoever was found by name stays
_LOOP = "and a defect, "
_LONGEST_LOOP = 1_000  # tokens: of the many that a model may write, enough to be cut off


@dataclass(frozen=True)
class Asked:
    """What a request's body says, as far as the stub has to know."""

    schema_name: str
    quote: str
    prompt_tokens: int
    most_tokens: int

    @property
    def question(self) -> str:
        """What it is counted as."""
        return f"{self.schema_name}: {self.quote}"


class NotARequest(Exception):
    """The body is no chat completion request."""


def read(body: bytes) -> Asked:
    """Raises NotARequest."""
    try:
        request = json.loads(body)
        contents = [message["content"] for message in request["messages"]]
        schema = request.get("response_format", {}).get("json_schema", {})
        most = request.get("max_completion_tokens") or request.get("max_tokens") or 0
        return Asked(
            schema_name=str(schema.get("name", "")),
            quote=_first_line(next((c for c in contents if _MARK in c), contents[-1])),
            prompt_tokens=math.ceil(sum(map(len, contents)) / _CHARACTERS_PER_TOKEN),
            most_tokens=int(most),
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise NotARequest(f"not a chat completion request: {error!r}") from error


def _first_line(prompt: str) -> str:
    """Of the document between its marks, else of the prompt."""
    mark = prompt.find(_MARK)
    begin = prompt.find("\n", mark) + 1 if mark >= 0 else 0
    end = prompt.find("\n", begin)
    return prompt[begin : min(begin + _QUOTE, end if end > begin else len(prompt))]


@dataclass(frozen=True)
class Completion:
    """One answer before it is put into JSON. A fault returns another one."""

    content: str | None
    prompt_tokens: int
    refusal: str | None = None
    finish_reason: str = "stop"

    @property
    def output_tokens(self) -> int:
        """Of what was written."""
        return math.ceil(len(self.content or self.refusal or "") / _CHARACTERS_PER_TOKEN)

    def to_json(self, request_id: str) -> bytes:
        """The body of the response."""
        return (
            f'{{"id":"{request_id}","object":"chat.completion","created":1700000000,'
            f'"model":"{MODEL}","choices":[{{"index":0,"message":{{"role":"assistant",'
            f'"content":{json.dumps(self.content)},"refusal":{json.dumps(self.refusal)}}},'
            f'"finish_reason":"{self.finish_reason}","logprobs":null}}],'
            f'"usage":{{"prompt_tokens":{self.prompt_tokens},'
            f'"completion_tokens":{self.output_tokens},'
            f'"total_tokens":{self.prompt_tokens + self.output_tokens},'
            '"prompt_tokens_details":{"cached_tokens":0}}}'
        ).encode()


_BEFORE_QUOTE, _AFTER_QUOTE = json.dumps(
    {"relevance": 0.9, "findings": [{**_FINDING, "quote": "@"}]}
).split('"@"')


def good(asked: Asked) -> Completion:
    """One that fits the schema of the findings, of the briefs or of the mentions."""
    for step, fixed in (("brief", _BRIEF), ("mentions", _MENTIONS)):
        if step in asked.schema_name.lower():
            return Completion(json.dumps(fixed), asked.prompt_tokens)
    content = f"{_BEFORE_QUOTE}{json.dumps(asked.quote)}{_AFTER_QUOTE}"
    return Completion(content, asked.prompt_tokens)


def spoiled(kind: str, answer: Completion, most_tokens: int = _LONGEST_LOOP) -> Completion:
    """What a fault of the model, not of the transport, makes of a good answer."""
    content, tokens = answer.content or "", answer.prompt_tokens
    rounds = min(most_tokens or _LONGEST_LOOP, _LONGEST_LOOP) * _CHARACTERS_PER_TOKEN // len(_LOOP)
    spoilt: dict[str, dict[str, Any]] = {
        "truncated": {"content": content[: len(content) // 2], "finish_reason": "length"},
        "endless": {
            "content": content.partition("can be replaced")[0] + _LOOP * rounds,
            "finish_reason": "length",
        },
        "refusal": {"content": None, "refusal": "I cannot help with that."},
        "content_filter": {"content": None, "finish_reason": "content_filter"},
        "invalid_json": {"content": f"{content[:-2]}, oops"},
        "schema_breaking": {"content": '{"relevance": 7, "findings": "none"}'},
        "huge": {"content": content.replace("One product", "x" * _HUGE)},
    }
    return Completion(prompt_tokens=tokens, **spoilt[kind])
