"""Prompts as files. A prompt is its text and its reply schema; its version is their hash."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb
from pydantic import BaseModel

from orchestration.resources.postgres import Connection
from orchestration.scoring.replies import BriefReply, FindingsReply, MentionsReply, wire_schema
from orchestration.scoring.taxonomy import DIMENSION_COVERS, LEVEL_MEANS, URGENCY_MEANS
from orchestration.scoring.visible import visible

_SEPARATOR = "\n=== user ===\n"
_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Prompt:
    """One step's instructions. `user` is a template; `render` fills its places."""

    step: str
    system: str
    user: str
    reply: type[BaseModel]

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The reply's JSON schema."""
        return wire_schema(self.reply)

    @cached_property
    def version(self) -> str:
        """Step and a hash over text and schema, such as risk_findings-1f0c2a9b7d3e."""
        content = json.dumps([self.system, self.user, self.schema], sort_keys=True)
        return f"{self.step}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"

    def render(self, places: Mapping[str, str]) -> list[dict[str, str]]:
        """The chat messages. Values are put in as they are, never read as templates."""
        user = _PLACE.sub(lambda place: places[place[1]], self.user)
        return [{"role": "system", "content": self.system}, {"role": "user", "content": user}]


def delimited(text: str) -> str:
    """Text between marks made of its own hash, which no text can contain."""
    mark = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"<<<BEGIN {mark}>>>\n{text}\n<<<END {mark}>>>"


def line(text: str) -> str:
    """Text on one line, without what shows nothing: for a place outside the marks."""
    return " ".join(visible(text).split())


def load(step: str, reply: type[BaseModel], **lists: str) -> Prompt:
    """Read `<step>.md`; `lists` fill places of the static part."""
    content = (Path(__file__).parent / f"{step}.md").read_text(encoding="utf-8")
    system, _, user = content.partition(_SEPARATOR)
    for name, value in lists.items():
        system = system.replace("{" + name + "}", value)
    return Prompt(step, system.strip(), user.strip(), reply)


SUPPLIER_MENTIONS = load(
    "supplier_mentions",
    MentionsReply,
    urgencies="\n".join(f"- {urgency.value}: {means}" for urgency, means in URGENCY_MEANS.items()),
)
RISK_FINDINGS = load(
    "risk_findings",
    FindingsReply,
    dimensions="\n".join(f"- {name}: {covers}" for name, covers in DIMENSION_COVERS.items()),
    levels="\n".join(f"- {level.value}: {means}" for level, means in LEVEL_MEANS.items()),
)
RISK_BRIEFS = load("risk_briefs", BriefReply)
ALL = (SUPPLIER_MENTIONS, RISK_FINDINGS, RISK_BRIEFS)


def versions() -> dict[str, str]:
    """Of today's prompts, by step."""
    return {prompt.step: prompt.version for prompt in ALL}


def register(connection: Connection, prompt: Prompt) -> None:
    """Keep the prompt's text and schema under its version."""
    connection.execute(
        "insert into llm.prompts (prompt_version, step, system_text, user_template, reply_schema)"
        " values (%s, %s, %s, %s, %s) on conflict (prompt_version) do nothing",
        [prompt.version, prompt.step, prompt.system, prompt.user, Jsonb(prompt.schema)],
    )
