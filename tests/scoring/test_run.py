"""A scoring run from landed documents to findings and briefs, on real PostgreSQL and HTTP."""

import pytest

from orchestration.ingestion import work_items
from orchestration.ingestion.message import Document
from orchestration.resources.llm import EndpointRefuses
from orchestration.resources.postgres import Connection, connect, one
from orchestration.scoring import findings
from orchestration.scoring.checks import QUOTES, violations
from orchestration.scoring.status import status
from orchestration.settings import LlmSettings, PostgresSettings
from tests.conftest import Analyst
from tests.scoring.endpoint import endpoint, quoting
from tests.scoring.scenario import (
    BANKRUPTCY,
    RECALL,
    land_documents,
    land_hinted,
    land_texts,
    run,
    wake,
)


def totals(connection: Connection) -> dict[str, int]:
    found = status(connection)["totals"]
    return {key: found[key] for key in ("scored", "pending", "dead", "superseded") if found[key]}


def calls(connection: Connection) -> int:
    return int(one(connection, "select count(*) as n from llm.attempts")["n"])


def test_documents_become_findings_and_briefs_of_their_pairs(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, RECALL, BANKRUPTCY, "Nobody is named.")
    result = run(connection, analyst.settings)
    assert set(result.pairs) == {"acme@MX", "beta@DE"}
    beta = result.pairs["beta@DE"]
    assert (beta.documents, beta.findings, beta.verified, beta.highest_level) == (1, 1, 1, 5)
    assert beta.brief is not None
    assert "insolvency (confirmed)" in beta.brief
    assert beta.brief.endswith("[1]")
    assert beta.findings_metadata()["paid_calls"] == 2
    finding = one(
        connection,
        "select findings.*, run_id from risk.findings inner join risk.assessments"
        " using (assessment_id) where dimension = 'financial'",
    )
    assert (finding["quote"], finding["quote_verified"]) == (BANKRUPTCY, True)
    assert (finding["quote_start"], finding["quote_end"]) == (0, len(BANKRUPTCY))
    assert finding["run_id"] == "run-1"
    assert result.violations == violations(connection) == {}
    assert result.totals["scored"] == 2
    assert result.failures == {}


def test_a_second_run_finds_nothing_and_pays_nothing(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, RECALL)
    run(connection, analyst.settings)
    paid = calls(connection)
    again = run(connection, analyst.settings)
    assert again.pairs == {}
    assert calls(connection) == paid


def test_a_targeted_run_reports_every_pair_and_pays_nothing_for_what_is_known(
    connection: Connection, analyst: Analyst
) -> None:
    land_documents(connection, [Document(text=RECALL, external_id="a"), Document(text=BANKRUPTCY)])
    run(connection, analyst.settings)
    land_documents(connection, [Document(text="Withdrawn.", external_id="a", version=2)])
    run(connection, analyst.settings)
    paid = calls(connection)
    result = run(connection, analyst.settings, targets=["acme@MX", "beta@DE"])
    assert list(result.pairs) == ["acme@MX", "beta@DE"]
    assert result.failures == {}
    assert calls(connection) == paid
    empty = result.pairs["acme@MX"]
    assert (empty.documents, empty.findings, empty.brief) == (0, 0, None)
    assert result.pairs["beta@DE"].findings_metadata()["paid_calls"] == 0
    assert totals(connection) == {"scored": 1, "superseded": 1}


@pytest.mark.parametrize("key", ["acme@ZZ", "Nonsense", "x" * 80 + "@DE"])
def test_a_partition_that_is_no_observed_pair_is_named_and_holds_up_nothing(
    connection: Connection, analyst: Analyst, key: str
) -> None:
    land_texts(connection, RECALL)
    run(connection, analyst.settings)
    result = run(connection, analyst.settings, targets=[key, "acme@MX"])
    assert list(result.pairs) == ["acme@MX"]
    assert list(result.failures) == [key]
    assert "delete this" in result.failures[key]


def test_a_new_model_opens_a_generation_and_old_assessments_stay(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, RECALL)
    run(connection, analyst.settings)
    other = analyst.settings.model_copy(update={"model": "another"})
    result = run(connection, other, targets=["acme@MX"])
    assert result.pairs["acme@MX"].spent.calls == 2
    row = one(
        connection,
        "select count(*) as n, count(distinct generation_id) as g from risk.assessments",
    )
    assert tuple(row.values()) == (2, 2)
    current = one(connection, "select generation_id from risk.current_assessments")
    assert current["generation_id"] == 2
    assert totals(connection) == {"scored": 1}


def test_a_document_that_the_model_refuses_is_dead_with_its_reason_and_the_rest_is_scored(
    connection: Connection, analyst: Analyst
) -> None:
    land_hinted(connection, RECALL, BANKRUPTCY)
    analyst.fail_with({"kind": "refusal", "contains": "Beta AG files"})
    result = run(connection, analyst.settings)
    assert totals(connection) == {"scored": 1, "dead": 1}
    assert list(result.pairs) == ["acme@MX"]
    assert result.outstanding == ["1 dead: refusal"]
    assert result.violations == {}
    analyst.recover()
    again = run(connection, analyst.settings, targets=["beta@DE"])
    assert again.failures == {}
    assert totals(connection) == {"scored": 2}


def test_a_targeted_pair_whose_work_fails_is_a_failure_with_its_reason(
    connection: Connection, analyst: Analyst
) -> None:
    land_hinted(connection, RECALL, BANKRUPTCY)
    run(connection, analyst.settings)
    other = analyst.settings.model_copy(update={"model": "another"})
    analyst.fail_with({"kind": "cut_off", "contains": "Acme Corp recalls"})
    result = run(connection, other, targets=["acme@MX", "beta@DE"])
    assert list(result.pairs) == ["beta@DE"]
    assert "truncated" in result.failures["acme@MX"]


def test_a_busy_endpoint_leaves_the_work_for_later_and_then_it_is_done(
    connection: Connection, analyst: Analyst
) -> None:
    land_hinted(connection, RECALL)
    analyst.fail_with({"kind": "server_error", "times": 3})
    first = run(connection, analyst.settings)
    assert first.outstanding == ["1 pending after server_error"]
    assert totals(connection) == {"pending": 1}
    wake(connection)
    run(connection, analyst.settings)
    assert totals(connection) == {"scored": 1}


def test_a_wrong_key_ends_the_run_and_leaves_everything_pending(
    connection: Connection, analyst: Analyst
) -> None:
    land_hinted(connection, RECALL, BANKRUPTCY)
    analyst.fail_with({"kind": "unauthorized"})
    for _ in range(4):
        with pytest.raises(EndpointRefuses):
            run(connection, analyst.settings)
    assert totals(connection) == {"pending": 2}
    analyst.recover()
    run(connection, analyst.settings)
    assert totals(connection) == {"scored": 2}


def test_a_run_that_lost_its_lease_writes_nothing(
    connection: Connection, database: PostgresSettings, analyst: Analyst
) -> None:
    land_hinted(connection, RECALL)
    stolen: list[work_items.Item] = []

    def steal_and_answer(_: str) -> tuple[int, object]:
        with connect(database, "thief") as thief:
            thief.execute("update risk.work_items set available_at = now() where state = 'claimed'")
            stolen.extend(work_items.claim(thief, "findings", 10, 3))
        return 200, quoting(RECALL)

    with endpoint(steal_and_answer) as (url, _):
        run(connection, analyst.settings.model_copy(update={"base_url": url}))
    assert len(stolen) == 1
    assert one(connection, "select count(*) as n from risk.assessments")["n"] == 0
    assert totals(connection) == {"pending": 1}


def test_a_brief_is_asked_for_again_only_when_its_findings_change(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, RECALL)
    run(connection, analyst.settings)
    land_texts(connection, "Acme Corp is praised in Mexico.")
    run(connection, analyst.settings)
    steps = connection.execute(
        "select step, count(*) as n from llm.requests group by step order by step"
    )
    assert [tuple(row.values()) for row in steps] == [
        ("risk_briefs", 1),
        ("risk_findings", 2),
        ("supplier_mentions", 2),
    ]
    land_texts(connection, "Acme Corp recalls more valves in Mexico.")
    run(connection, analyst.settings)
    briefs = connection.execute("select text, finding_ids from risk.briefs order by brief_id")
    assert [len(row["finding_ids"]) for row in briefs] == [1, 2]


def test_the_brief_of_a_withdrawn_document_is_written_anew(
    connection: Connection, analyst: Analyst
) -> None:
    first = Document(text=RECALL, external_id="a")
    land_documents(connection, [first, Document(text="Acme Corp recalls pumps in Mexico.")])
    run(connection, analyst.settings)
    land_documents(connection, [Document(text="Withdrawn.", external_id="a", version=2)])
    run(connection, analyst.settings)
    briefs = connection.execute("select text, finding_ids from risk.briefs order by brief_id")
    assert [len(row["finding_ids"]) for row in briefs] == [2, 1]


def test_quotes_that_are_not_in_the_document_are_kept_and_flagged(
    connection: Connection, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings, "find_quote_from", lambda *_: None)
    land_texts(connection, RECALL)
    result = run(connection, analyst.settings)
    assert (result.findings, result.unverified_quotes) == (1, 1)
    assert result.pairs["acme@MX"].brief is None
    assert list(violations(connection)) == [QUOTES]


def test_status_counts_messages_calls_and_cost_in_all_and_per_batch(
    connection: Connection, analyst: Analyst
) -> None:
    land_documents(connection, [Document(text=RECALL)], batch="one")
    land_documents(connection, [Document(text=RECALL), Document(text="x")], batch="two")
    run(connection, analyst.settings)
    found = status(connection)
    assert [batch["batch_id"] for batch in found["batches"]] == ["one", "two"]
    one_batch, two = found["batches"]
    assert (one_batch["received"], one_batch["scored"], one_batch["calls"]) == (1, 1, 2)
    assert (two["received"], two["duplicate"], two["no_supplier"], two["calls"]) == (2, 1, 1, 0)
    assert (found["totals"]["received"], found["totals"]["calls"]) == (3, 3)
    assert found["totals"]["cost_usd"] == 0
    assert found["totals"]["gap"] == 0


def test_an_unknown_price_is_no_zero(connection: Connection, analyst: Analyst) -> None:
    free = {"input_usd_per_million": None, "output_usd_per_million": None}
    settings: LlmSettings = analyst.settings.model_copy(update=free)
    land_texts(connection, RECALL)
    result = run(connection, settings)
    assert status(connection)["totals"]["cost_usd"] is None
    assert result.pairs["acme@MX"].findings_metadata()["cost_usd"] == "unknown"


def test_the_price_of_an_answer_that_does_not_count_may_be_unknown_too(
    connection: Connection, analyst: Analyst
) -> None:
    free = {"input_usd_per_million": None, "output_usd_per_million": None}
    land_hinted(connection, RECALL)
    analyst.fail_with({"kind": "cut_off"})
    run(connection, analyst.settings.model_copy(update=free))
    assert totals(connection) == {"dead": 1}
    assert status(connection)["totals"]["cost_usd"] is None
