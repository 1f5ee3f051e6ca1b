"""A thousand documents through all that history knows; the marts are compared after each step."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.history import retention
from orchestration.history.comparison import compare
from orchestration.history.promotion import promote
from orchestration.history.rollback import roll_back, undo
from orchestration.history.selection import Selection
from orchestration.ingestion.landing import land
from orchestration.ingestion.message import Document, SupplierHint
from orchestration.ingestion.suppliers import Supplier, load
from orchestration.resources.postgres import Connection
from orchestration.scoring.checks import violations
from orchestration.settings import HistorySettings, LlmSettings
from tests.conftest import Analyst
from tests.history.replaying import replay, wish
from tests.ingestion.test_landing import LIMIT, SUBSCRIPTION, message
from tests.scoring.endpoint import completion, endpoint, quoting
from tests.scoring.scenario import run
from tests.transformation.building import build, differences, refresh, rows, snapshot, today

SUPPLIERS = 10
DOCUMENTS = 1_000
LEVEL_OF_A, LEVEL_OF_B = 2, 4
_TEXT = re.compile(r"<<<BEGIN (\w+)>>>\n(.*)\n<<<END \1>>>", re.DOTALL)
EVIDENCE = (
    "select external_id::integer as number, supplier_id, level, evidence.model"
    " from marts.risk_evidence as evidence inner join ingest.documents using (document_id)"
    " order by 1"
)

OF_MAKER_3 = "select * from marts.supplier_risk_current where supplier_id = 'maker-3' order by 5"


def supplier_of(number: int) -> str:
    return f"maker-{number % SUPPLIERS}"


def batch_of(number: int) -> str:
    return "third" if number % 3 == 0 else "others"


def land_all(connection: Connection) -> None:
    makers = [
        Supplier(f"maker-{n}", f"Maker {n} Ltd", (), "DE", "metals", 1, None)
        for n in range(SUPPLIERS)
    ]
    load(connection, makers)
    for batch in ("third", "others"):
        messages = [
            message(document(number).to_json(), batch_id=batch)
            for number in range(DOCUMENTS)
            if batch_of(number) == batch
        ]
        land(connection, SUBSCRIPTION, messages, LIMIT)


def document(number: int) -> Document:
    supplier = supplier_of(number)
    return Document(
        text=f"Maker {number % SUPPLIERS} Ltd recalls {number} valves in Mexico.",
        source="numbered",
        external_id=f"{number}",
        published_at=datetime.now(UTC) - timedelta(days=number % 60),
        supplier_hints=(SupplierHint(supplier=supplier, country="MX"),),
    )


@contextmanager
def model_b(llm: LlmSettings) -> Iterator[LlmSettings]:
    """Another endpoint, that takes every recall for a grave one."""
    brief = completion(json.dumps({"sentences": [{"text": "Recalls.", "cites": [1]}]}))

    def script(prompt: str) -> tuple[int, object]:
        shown = _TEXT.search(prompt)
        assert shown
        if shown[2].startswith("1. level"):
            return 200, brief
        reply: dict[str, Any] = quoting(shown[2])
        content = json.loads(reply["choices"][0]["message"]["content"])
        content["findings"][0]["level"] = LEVEL_OF_B
        return 200, completion(json.dumps(content))

    with endpoint(script) as (url, _):
        yield llm.model_copy(update={"base_url": url})


def expected(of_b: set[int], model_a: str) -> list[tuple[int, str, int, str]]:
    return [
        (number, supplier_of(number), *((LEVEL_OF_B, "b") if number in of_b else (2, model_a)))
        for number in range(DOCUMENTS)
    ]


@pytest.mark.slow
def test_a_thousand_documents_are_scored_replayed_compared_rolled_back_restored_and_purged(
    connection: Connection, analyst: Analyst
) -> None:
    llm, day = analyst.settings, f"{today()}"
    third = {number for number in range(DOCUMENTS) if batch_of(number) == "third"}
    of_maker_3 = {number for number in third if supplier_of(number) == "maker-3"}

    land_all(connection)
    run(connection, llm)
    build(day)
    assert violations(connection) == {}
    assert rows(connection, EVIDENCE) == expected(set(), llm.model)
    with_a, of_maker_3_with_a = snapshot(connection), rows(connection, OF_MAKER_3)

    asked = analyst.served()
    opened, _ = replay(connection, llm, wish(Selection(batches=("third",))), "same")
    assert opened.kind == "stream"
    assert analyst.served() == asked, "a replay of the same generation pays nothing"

    with model_b(llm) as other:
        opened, done = replay(
            connection, other, wish(Selection(batches=("third",)), model="b"), "with-b"
        )
    assert (opened.mentions, done.report.outcomes["scored"]) == (len(third), len(third))
    refresh(day)
    assert violations(connection) == {}
    scores = "supplier_risk_current"
    assert snapshot(connection)[scores] == with_a[scores], "a shadow moves no score"

    compared = compare(connection, 1, opened.generation_id)
    assert (compared.documents, compared.judged, compared.agreed) == (len(third), len(third), 0)
    assert (compared.gained, compared.lost) == (0, 0), "the same events, graver"
    worse = rows(
        connection,
        "select count(*), bool_and(score > base_score), sum(compared_documents)"
        " from marts.generation_comparison where dimension = 'overall'",
    )
    assert worse == [(SUPPLIERS, True, len(third))]

    promote(connection, opened.generation_id, "tester", HistorySettings())
    refresh(day)
    assert violations(connection) == {}
    assert rows(connection, EVIDENCE) == expected(third, llm.model)
    with_b = snapshot(connection)

    selection = Selection(models=("b",), suppliers=("maker-3",))
    taken = roll_back(connection, selection, "too grave", "tester")
    assert (taken.assessments, taken.briefs) == (len(of_maker_3), 1)
    assert taken.instead == {1: len(of_maker_3)}
    refresh(day)
    assert violations(connection) == {}
    assert rows(connection, EVIDENCE) == expected(third - of_maker_3, llm.model)
    assert rows(connection, OF_MAKER_3) == of_maker_3_with_a

    assert taken.retraction_id
    undo(connection, taken.retraction_id, "tester")
    refresh(day)
    assert violations(connection) == {}
    assert differences(with_b, snapshot(connection)) == {}

    now = datetime.now(UTC) + timedelta(minutes=1)
    retention.purge(connection, retention.Limits(now, now))
    refresh(day)
    assert violations(connection) == {}
    assert differences(with_b, snapshot(connection)) == {}
    kept = rows(
        connection,
        "select count(*) filter (where answer is null and raw_body is null) as purged,"
        " count(*) filter (where raw_sha256 is not null) as hashed, count(*) as responses"
        " from llm.responses",
    )
    assert kept[0][0] == kept[0][1] == kept[0][2] > DOCUMENTS
