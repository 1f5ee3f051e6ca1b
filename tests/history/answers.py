"""Answers of two models to a handful of documents: one sure finding, some in doubt, one of nothing.

Each document is known by a word in it; every model is a real endpoint that answers by script.
"""

import json
from collections.abc import Mapping

from orchestration.resources.postgres import Connection, one
from orchestration.settings import LlmSettings
from tests.scoring.endpoint import completion, endpoint
from tests.scoring.scenario import land_hinted, run
from tests.scoring.test_outage import scripted

SURE = "Acme Corp recalls valves that leak oil in Mexico."
INVENTED = "In Mexico the union of Acme Corp met on Tuesday."
FAINT = "A truck, perhaps of Acme Corp, burned near Puebla in Mexico."
SPLIT = "Mexico fines Acme Corp for waste in a river."
CALM = "Acme Corp opened a school in Mexico."
TEXTS = (SURE, INVENTED, FAINT, SPLIT, CALM)


def reply(*findings: tuple[str, int], relevance: float = 1.0) -> dict[str, object]:
    """An answer with a finding for each quote and level."""
    same = {
        "dimension": "operational",
        "status": "confirmed",
        "event_type": "recall",
        "event_date": None,
        "keywords": ["recall"],
        "rationale": "It says so.",
    }
    rows = [same | {"quote": quote, "level": level} for quote, level in findings]
    return {"relevance": relevance, "findings": rows}


FIRST: Mapping[str, dict[str, object]] = {
    SURE: reply((SURE, 2)),
    INVENTED: reply(("Its workers are on strike.", 2)),
    FAINT: reply((FAINT, 2), relevance=0.3),
    SPLIT: reply((SPLIT, 2)),
    CALM: reply(),
}
SECOND = {**FIRST, SPLIT: reply((SPLIT, 4))}


def ask(
    connection: Connection, llm: LlmSettings, model: str, answers: Mapping[str, dict[str, object]]
) -> None:
    """Assess all that is there of the pair by this model, which answers so; briefs it cannot."""

    def script(prompt: str) -> tuple[int, object]:
        found = [answer for text, answer in answers.items() if text in prompt]
        return 200, completion(json.dumps(found[0] if found else {}))

    with endpoint(script) as (url, _):
        settings = scripted(llm, url).model_copy(update={"model": model})
        run(connection, settings, run_id=model)
        run(connection, settings, targets=["acme@MX"], run_id=model)


def two_models(connection: Connection, llm: LlmSettings) -> None:
    """The world of most tests: two generations assessed the same documents."""
    land_hinted(connection, *TEXTS)
    ask(connection, llm, "first", FIRST)
    ask(connection, llm, "second", SECOND)


def finding_of(connection: Connection, text: str, model: str = "second") -> int:
    """The id of what this model found in a document."""
    row = one(
        connection,
        "select finding_id from risk.findings inner join risk.assessments using (assessment_id)"
        " inner join risk.mentions using (mention_id) inner join ingest.documents"
        " using (document_id) inner join risk.generations using (generation_id)"
        " where documents.body = %s and generations.model = %s",
        [text, model],
    )
    return int(row["finding_id"])


def assessment_of(connection: Connection, text: str, model: str = "second") -> int:
    """The id of this model's assessment of a document."""
    row = one(
        connection,
        "select assessment_id from risk.assessments inner join risk.mentions using (mention_id)"
        " inner join ingest.documents using (document_id)"
        " inner join risk.generations using (generation_id)"
        " where documents.body = %s and generations.model = %s",
        [text, model],
    )
    return int(row["assessment_id"])
