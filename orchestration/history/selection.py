"""Which documents or answers are meant: one set of words for replays, rollbacks, exports, reviews.

Every part that is given must agree. Of several values in one part any will do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from orchestration.errors import UsageError
from orchestration.resources.postgres import Connection, one

# An assessment that calls its document less relevant than this is one to look at.
LOW_RELEVANCE = 0.5
STATES: Mapping[str, LiteralString] = {
    "dead": "exists (select from risk.work_items as items where items.step = 'findings'"
    " and items.subject_id = mentions.mention_id and items.state = 'dead')",
    "refused": "exists (select from risk.work_items as items where items.step = 'findings'"
    " and items.subject_id = mentions.mention_id and items.state = 'dead'"
    " and items.last_error_class in ('refusal', 'content_filter'))",
    "unverified": "exists (select from risk.findings"
    " where findings.assessment_id = assessments.assessment_id and not findings.quote_verified)",
    "low_confidence": "assessments.relevance < %(low_relevance)s",
}


_SINGULAR = {
    "suppliers": "supplier",
    "countries": "country",
    "batches": "batch",
    "sources": "source",
    "documents": "document",
    "generations": "generation",
    "runs": "run",
    "prompt_versions": "prompt version",
    "models": "model",
    "states": "state",
}


@dataclass(frozen=True)
class Selection:
    """Times are those at which a document was received or, of what was written, of the writing;
    `since` is included, `before` is not. `states` are those of STATES."""

    suppliers: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    batches: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    documents: tuple[UUID, ...] = ()
    generations: tuple[int, ...] = ()
    runs: tuple[str, ...] = ()
    prompt_versions: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    since: datetime | None = None
    before: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it leaves nothing out."""
        return not self.given()

    def given(self) -> dict[str, Any]:
        """The parts that leave something out, as JSON knows them."""
        parts = {name: _plain(value) for name, value in asdict(self).items()}
        return {name: value for name, value in parts.items() if value}

    def parameters(self) -> dict[str, Any]:
        """For the queries that `condition` is put into."""
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        lists = {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}
        return {**lists, "low_relevance": LOW_RELEVANCE}

    def __str__(self) -> str:
        words = [f"{_SINGULAR.get(name, name)} {_listed(v)}" for name, v in self.given().items()]
        return ", ".join(words) or "everything"


_OF_DOCUMENTS: Mapping[str, LiteralString] = {
    "suppliers": "mentions.supplier_id = any(%(suppliers)s)",
    "countries": "mentions.country = any(%(countries)s)",
    "batches": "exists (select from ingest.messages"
    " where messages.document_id = mentions.document_id and messages.batch_id = any(%(batches)s))",
    "sources": "documents.source = any(%(sources)s)",
    "documents": "mentions.document_id = any(%(documents)s)",
}
_OF_ANSWERS: Mapping[str, LiteralString] = {
    "generations": "assessments.generation_id = any(%(generations)s)",
    "runs": "assessments.run_id = any(%(runs)s)",
    "prompt_versions": "generations.prompt_versions ->> 'risk_findings' = any(%(prompt_versions)s)",
    "models": "generations.model = any(%(models)s)",
}
_RECEIVED: Mapping[str, LiteralString] = {
    "since": "documents.received_at >= %(since)s",
    "before": "documents.received_at < %(before)s",
}
_WRITTEN: Mapping[str, LiteralString] = {
    "since": "assessments.created_at >= %(since)s",
    "before": "assessments.created_at < %(before)s",
}


def condition(selection: Selection, *, of_writing: bool) -> LiteralString:
    """For a query over `mentions`, `documents`, `assessments` and `generations`; its times are
    those of the writing, or those at which documents were received."""
    times = _WRITTEN if of_writing else _RECEIVED
    conditions = {**_OF_DOCUMENTS, **_OF_ANSWERS, **times}
    wanted: list[LiteralString] = [
        conditions[part] for part in conditions if getattr(selection, part)
    ]
    if selection.states:
        wanted.append("(" + " or ".join(STATES[state] for state in selection.states) + ")")
    return " and ".join(wanted) or "true"


_KNOWN: Mapping[str, tuple[LiteralString, str]] = {
    "suppliers": (
        "select from risk.pairs where supplier_id = %s",
        "No document mentions a supplier {!r}; ids stand in the supplier master.",
    ),
    "countries": (
        "select from risk.pairs where country = %s",
        "No supplier is mentioned in a country {!r}; write ISO codes such as DE.",
    ),
    "batches": (
        "select from ingest.messages where batch_id = %s",
        "There is no batch {!r}; `supplier-risk status` lists them.",
    ),
    "sources": (
        "select from ingest.documents where source = %s",
        "No document is of a source {!r}.",
    ),
    "documents": (
        "select from ingest.documents where document_id = %s",
        "There is no document {!s}.",
    ),
    "generations": (
        "select from risk.generations where generation_id = %s",
        "There is no generation {!r}; `supplier-risk generations list` shows them.",
    ),
    "runs": (
        "select from risk.assessments where run_id = %s",
        "No run {!r} has written an assessment.",
    ),
    "prompt_versions": (
        "select from risk.generations"
        " where %s in (select value from jsonb_each_text(prompt_versions))",
        "No generation has a prompt version {!r}; `supplier-risk generations list` shows them.",
    ),
    "models": (
        "select from risk.generations where model = %s",
        "No generation is of a model {!r}; `supplier-risk generations list` shows them.",
    ),
}


def check(connection: Connection, selection: Selection) -> None:
    """Raises UsageError naming the first value that exists nowhere, or a state that is none."""
    for state in selection.states:
        if state not in STATES:
            raise UsageError(f"There is no state {state!r}; there are {', '.join(STATES)}.")
    for part, (query, complaint) in _KNOWN.items():
        for value in getattr(selection, part):
            if not one(connection, "select exists (" + query + ") as found", [value])["found"]:
                raise UsageError(complaint.format(value))


def demand(selection: Selection, found: int, of: int, everything: bool, what: str) -> None:
    """Raises UsageError where nothing is selected, or everything without being asked for."""
    if found == 0:
        raise UsageError(f"Nothing is selected: there are no {what} of {selection}.")
    if not everything and selection.is_empty:
        raise UsageError(f"Say which {what} are meant, such as --supplier, or --all for {of:,}.")
    if not everything and found == of and of > 1:
        raise UsageError(f"{selection} selects all {of:,} {what}: say --all if that is meant.")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [one if isinstance(one, int) else str(one) for one in value]
    return value


def _listed(value: Any) -> str:
    return " or ".join(str(one) for one in value) if isinstance(value, list) else str(value)
