"""What was paid once is not paid again: a thousand unchanged documents, by the endpoint's count."""

from collections.abc import Iterator

import pytest

from benchmarks.stub import part as stub
from orchestration.resources.postgres import Connection, one
from orchestration.scoring.checks import violations
from orchestration.scoring.generations import open_stream
from orchestration.settings import LlmSettings
from tests.conftest import OpenStub
from tests.scoring.books import land_numbered, outcomes
from tests.scoring.scenario import run
from tests.scoring.test_run import totals

numbers = pytest.mark.parametrize("number", [100, pytest.param(1_000, marks=pytest.mark.slow)])
PAIR = "acme@MX"


@pytest.fixture
def llm(open_stub: OpenStub) -> Iterator[LlmSettings]:
    with open_stub("--latency-ms", "0") as port:
        yield stub.settings(port)


def received(llm: LlmSettings) -> int:
    port = int(llm.base_url.removesuffix("/v1").rpartition(":")[2])
    return int(stub.served(port)["received"])


def current(connection: Connection) -> dict[str, int]:
    """What the current assessments say, and of how many generations they are."""
    return one(
        connection,
        "select count(distinct assessment_id) as assessments, count(finding_id) as findings,"
        " count(*) filter (where quote_verified) as verified,"
        " min(generation_id) as oldest, max(generation_id) as newest"
        " from risk.current_mentions inner join risk.current_assessments using (mention_id)"
        " left join risk.findings using (assessment_id)",
    )


@numbers
def test_a_replay_of_unchanged_documents_asks_the_endpoint_nothing(
    connection: Connection, llm: LlmSettings, number: int
) -> None:
    land_numbered(connection, number)
    run(connection, llm)
    first, asked, ledger = current(connection), received(llm), outcomes(connection)
    assert asked == ledger.total() == number + 1  # and one brief

    generation = open_stream(connection, "a model in between") + 1  # back to the first model
    result = run(connection, llm, targets=[PAIR], run_id="replay")

    assert received(llm) == asked
    assert outcomes(connection) == ledger
    assert result.failures == {}
    assert result.pairs[PAIR].findings_metadata()["paid_calls"] == 0
    assert result.pairs[PAIR].spent.documents == number
    assert current(connection) == first | {"oldest": generation, "newest": generation}
    assert first["assessments"] == first["findings"] == first["verified"] == number
    runs = "select run_id, count(*) as n from risk.assessments group by run_id order by run_id"
    counts = [tuple(row.values()) for row in connection.execute(runs)]
    assert counts == [("replay", number), ("run-1", number)]
    assert violations(connection) == {}


@numbers
def test_documents_published_anew_without_a_change_ask_the_endpoint_nothing(
    connection: Connection, llm: LlmSettings, number: int
) -> None:
    land_numbered(connection, number, is_hinted=False)
    run(connection, llm)
    first, asked = current(connection), received(llm)
    assert asked == outcomes(connection).total() == 2 * number + 1

    land_numbered(connection, number, version=2, is_hinted=False)
    run(connection, llm, run_id="anew")

    assert received(llm) == asked == outcomes(connection).total()
    assert totals(connection) == {"scored": number, "superseded": number}
    assert current(connection) == first
    assert first["verified"] == number
    assert violations(connection) == {}
