"""A real engine behind the same code: llama.cpp takes our requests and keeps to our schema."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from orchestration.errors import StackError
from orchestration.ingestion import reading
from orchestration.ingestion.landing import land
from orchestration.ingestion.message import Document, SupplierHint
from orchestration.ingestion.supplier_csv import read_csv
from orchestration.ingestion.suppliers import load
from orchestration.local.llama import MODEL, serving
from orchestration.resources.llm import CallFailed, open_llm
from orchestration.resources.postgres import Connection, one
from orchestration.scoring.checks import violations
from orchestration.scoring.findings import findings_call
from orchestration.scoring.mention_rule import SupplierIndex, find_mentions
from orchestration.scoring.replies import FindingsReply
from orchestration.settings import REPOSITORY, LlmSettings
from tests.ingestion.test_landing import LIMIT, SUBSCRIPTION, message
from tests.scoring.scenario import run

DOCUMENTS = 20
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlmSettings]:
    folder = tmp_path_factory.mktemp("models")
    try:
        with serving(0, folder) as url:
            yield LlmSettings.model_validate(
                {
                    "base_url": url,
                    "api_key": "local",
                    "model": MODEL,
                    "concurrency": 1,
                    "timeout_seconds": 300,
                    "max_attempts": 1,
                    "max_output_tokens": 512,
                    "input_usd_per_million": 0,
                    "output_usd_per_million": 0,
                }
            )
    except StackError as error:
        pytest.fail(f"NOT PROVEN, the extra local-llm is missing: {error}")


def land_short_news(connection: Connection) -> None:
    """The shortest documents of the sample with one mention, which the publisher names: what so
    small a model says of whom a document is about would leave few of them."""
    suppliers = read_csv(REPOSITORY / "data" / "suppliers.csv")
    index = SupplierIndex(suppliers)
    records = reading.read([REPOSITORY / "data" / "sample" / "supplier_news_200.jsonl"])
    news = [record.content for record in records if isinstance(record.content, Document)]
    found = [(one, find_mentions(one.text, one.language, (), index).kept) for one in news]
    news = [
        document.model_copy(
            update={
                "supplier_hints": (SupplierHint(supplier=only.supplier_id, country=only.country),)
            }
        )
        for document, (only, *others) in ((one, kept) for one, kept in found if kept)
        if not others
    ]
    shortest = sorted(news, key=lambda document: len(document.text))[:DOCUMENTS]
    load(connection, suppliers)
    land(connection, SUBSCRIPTION, [message(one.to_json()) for one in shortest], LIMIT)


def test_a_real_engine_answers_twenty_documents_and_each_answer_has_its_outcome(
    connection: Connection, engine: LlmSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    land_short_news(connection)
    begin = time.monotonic()
    run(connection, engine)
    took = time.monotonic() - begin
    outcomes = {
        row["outcome"]: row["n"]
        for row in connection.execute(
            "select outcome, count(*) as n from llm.attempts inner join llm.requests"
            " using (cache_key) where step = 'risk_findings' group by outcome"
        )
    }
    asked = one(
        connection,
        "select count(distinct question_key) as n from llm.attempts"
        " inner join llm.requests using (cache_key) where step = 'risk_findings'",
    )
    with capsys.disabled():
        print(f"\n{MODEL}: {outcomes} in {took:.0f} s, briefs included")
    assert asked["n"] == DOCUMENTS
    assert set(outcomes) <= {"ok", "schema_invalid", "truncated"}
    kept = connection.execute(
        "select answer from llm.responses inner join llm.requests using (cache_key)"
        " where step = 'risk_findings' and outcome = 'ok'"
    ).fetchall()
    assert len(kept) == outcomes["ok"] >= 1
    for row in kept:
        FindingsReply.model_validate_json(row["answer"])
    assert one(connection, "select count(*) as n from risk.assessments")["n"] == outcomes["ok"]
    used = one(
        connection, "select min(input_tokens) as i, min(output_tokens) as o from llm.attempts"
    )
    assert min(used["i"], used["o"]) > 0
    assert violations(connection) == {}


def test_the_engine_says_of_a_prompt_that_it_is_too_long(engine: LlmSettings) -> None:
    text = "The committee met again. " * 6_000
    call = findings_call(0, text, ["Acme Corp"], "MX", engine)

    async def complete() -> None:
        async with open_llm(engine) as llm:
            await llm.complete(call.request)

    with pytest.raises(CallFailed, match="exceed_context_size_error") as failure:
        asyncio.run(complete())
    assert (failure.value.http_status, failure.value.is_transient) == (400, False)
