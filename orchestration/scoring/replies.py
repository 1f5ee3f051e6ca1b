"""The reply types: what the LLM must answer, as pydantic models and as flat JSON schemas.

The schema that goes over the wire holds only what strict structured outputs accept everywhere;
lengths are checked here after the answer came.
"""

from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from orchestration.scoring.taxonomy import Dimension, EventType, Status, Urgency

MAX_QUOTE = 300
MAX_FINDINGS = 20
_NOT_ON_THE_WIRE = {"title", "default", "minLength", "maxLength", "description"}


def _without_nul(text: object) -> object:
    return text.replace("\x00", "") if isinstance(text, str) else text


Words = Annotated[str, BeforeValidator(_without_nul)]


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SupplierVerdict(_Reply):
    """Whether a document is about one of the suppliers that it seems to name."""

    supplier: int
    is_subject: bool
    relevance: float = Field(ge=0, le=1)
    countries: list[Words]
    urgency: Urgency


class AffectedCompany(_Reply):
    """A company that the document names as affected and that nobody asked about."""

    name: Words
    country: Words | None


class MentionsReply(_Reply):
    """Whom one document is about, and how urgent it is. What is too long is cut when it is kept."""

    suppliers: list[SupplierVerdict] = Field(max_length=100)
    others: list[AffectedCompany] = Field(max_length=1_000)


class Finding(_Reply):
    """One adverse fact about the supplier, or level 0 where there is none."""

    dimension: Dimension
    level: int = Field(ge=0, le=5)
    status: Status
    event_type: EventType
    event_date: date | None
    keywords: list[Annotated[Words, StringConstraints(max_length=60)]] = Field(
        min_length=1, max_length=5
    )
    quote: Annotated[Words, StringConstraints(max_length=MAX_QUOTE)]
    rationale: Annotated[Words, StringConstraints(max_length=600)]


class FindingsReply(_Reply):
    """All that one document says about one supplier in one country."""

    relevance: float = Field(ge=0, le=1)
    findings: list[Finding] = Field(max_length=MAX_FINDINGS)


class BriefSentence(_Reply):
    """One sentence and the numbers of the findings that it rests on."""

    text: Annotated[Words, StringConstraints(min_length=1, max_length=600)]
    cites: list[int] = Field(min_length=1, max_length=20)


class BriefReply(_Reply):
    """What happened to one supplier in one country, in at most five sentences."""

    sentences: list[BriefSentence] = Field(min_length=1, max_length=5)


def wire_schema(reply: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a reply, in the subset that strict structured outputs accept."""
    schema: dict[str, Any] = _stripped(reply.model_json_schema())
    return schema


def _stripped(node: Any, is_properties: bool = False) -> Any:
    if isinstance(node, list):
        return [_stripped(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _stripped(value, is_properties=key == "properties" and not is_properties)
        for key, value in node.items()
        if is_properties or key not in _NOT_ON_THE_WIRE
    }
