"""The marts beside the scores: countries, usage, briefs, batches, on rows that a run has left."""

from datetime import timedelta

import pytest

from orchestration.ingestion.landing import land
from orchestration.ingestion.message import Document, SupplierHint
from orchestration.resources.postgres import Connection
from orchestration.settings import PostgresSettings
from tests.conftest import Analyst
from tests.ingestion.test_landing import LIMIT, SUBSCRIPTION, message
from tests.migrations.test_roles import connect_as
from tests.scoring.scenario import BANKRUPTCY, RECALL, land_documents, land_hinted, run
from tests.transformation.building import build, failures, rows, today

NO_TESTS = ["--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"]
USAGE = "select * from marts.llm_usage_daily order by day, step, model, prompt_version"


def build_today(days: int = 0) -> None:
    build(as_of=f"{today() + timedelta(days=days)}")


def build_usage(*options: str, days: int = 0) -> None:
    as_of = f"{today() + timedelta(days=days)}"
    assert failures("build", *NO_TESTS, "--select", "+llm_usage_daily", *options, as_of=as_of) == []


def test_a_country_is_named_and_stands_beside_its_baseline(
    connection: Connection, analyst: Analyst, database: PostgresSettings
) -> None:
    in_namibia = (SupplierHint(supplier="acme", country="NA"),)  # a code that looks like a null
    land_documents(connection, [Document(text=RECALL, supplier_hints=in_namibia)])
    land_hinted(connection, BANKRUPTCY)
    run(connection, analyst.settings)
    with connect_as(database, "migrator") as owner:
        owner.execute("update ingest.suppliers set annual_spend_usd = 5 where supplier_id = 'beta'")
    build_today()
    source = "World Bank WGI: Political Stability 2022"
    assert rows(
        connection,
        "select country, country_iso3, country_name, region, weighted_by, baseline_risk::float,"
        " baseline_source from marts.country_risk_current where dimension = 'overall' order by 1",
    ) == [
        ("DE", "DEU", "Germany", "Western Europe", "spend", 32.55, source),
        ("NA", "NAM", "Namibia", "Southern Africa", "tier", 35.85, source),
    ]


def test_usage_tells_calls_failures_cache_hits_and_verified_quotes(
    connection: Connection, analyst: Analyst, database: PostgresSettings
) -> None:
    analyst.fail_with({"kind": "server_error", "times": 1, "contains": "valves"})
    land_hinted(connection, RECALL, BANKRUPTCY)
    run(connection, analyst.settings)
    ask_again_what_the_cache_knows(database)
    run(connection, analyst.settings, run_id="run-2")
    build_usage()
    usage = rows(
        connection,
        "select step, calls, succeeded, refused, invalid, errors, unfinished, cache_hits, findings,"
        " verified_quotes, input_tokens > 0 and latency_p50_ms <= latency_p95_ms as is_measured"
        " from marts.llm_usage_daily order by step",
    )
    assert usage == [
        ("risk_briefs", 2, 2, 0, 0, 0, 0, 2, 0, 0, True),
        ("risk_findings", 3, 2, 0, 0, 1, 0, 2, 2, 2, True),
    ]


def ask_again_what_the_cache_knows(database: PostgresSettings) -> None:
    with connect_as(database, "migrator") as owner:
        owner.execute(
            "truncate risk.findings, risk.assessments, risk.briefs, risk.retracted, risk.labels"
        )
        owner.execute(
            "update risk.work_items set state = 'pending', available_at = now(), attempts = 0"
            " where step = 'findings'"
        )


def test_usage_of_past_days_is_repaired_and_equals_a_full_refresh(
    connection: Connection, analyst: Analyst, database: PostgresSettings
) -> None:
    land_hinted(connection, RECALL, BANKRUPTCY)
    run(connection, analyst.settings)
    with connect_as(database, "migrator") as owner:
        owner.execute(
            "update llm.attempts set started_at = started_at - interval '20 days',"
            " finished_at = null, outcome = null where attempt_id = 1"
        )
        build_usage()
        unfinished = "select day - current_date, calls from marts.llm_usage_daily where unfinished"
        assert rows(connection, f"{unfinished} > 0") == [(-20, 1)]
        # what close_abandoned does, when the next run comes
        owner.execute(
            "update llm.attempts set finished_at = now(), outcome = 'abandoned'"
            " where finished_at is null"
        )
        owner.execute("update risk.assessments set created_at = created_at - interval '2 days'")
    build_usage(days=1)
    assert rows(connection, f"{unfinished} > 0") == []
    refreshed = rows(connection, USAGE)
    build_usage("--full-refresh", days=1)
    assert rows(connection, USAGE) == refreshed
    build_usage(days=-1)
    assert rows(connection, "select max(day) - current_date from marts.llm_usage_daily") == [(-2,)]


def test_a_brief_is_shown_with_what_it_cites_and_whether_that_still_counts(
    connection: Connection, analyst: Analyst
) -> None:
    query = (
        "select supplier_id, supplier_name, supplier_category, country, citations,"
        " current_citations, is_current, brief like '%[1]%' as is_cited, finding_ids ="
        " array(select finding_id from risk.findings) as is_complete, written_on"
        " from marts.supplier_briefs"
    )
    land_documents(connection, [Document(text=RECALL, external_id="a")])
    run(connection, analyst.settings)
    build_today()
    brief = ("acme", "Acme Corp", "metals", "MX")
    assert rows(connection, query) == [(*brief, 1, 1, True, True, True, today())]
    land_documents(connection, [Document(text="Never mind.", external_id="a", version=2)])
    build_today()
    assert rows(connection, query) == [(*brief, 1, 0, False, True, True, today())]
    run(connection, analyst.settings)
    build_today()
    assert rows(connection, query) == []


@pytest.mark.parametrize("mart", ["pipeline_reconciliation", "dead_letters_current"])
def test_messages_without_a_batch_are_of_the_batch_of_their_day(
    connection: Connection, mart: str
) -> None:
    good = message(Document(text="Rain.").to_json())
    land(connection, SUBSCRIPTION, [good, message(b"no document")], LIMIT)
    assert failures("build", *NO_TESTS, "--select", f"+{mart}", as_of=f"{today()}") == []
    assert rows(connection, f"select batch_id from marts.{mart}") == [(f"(no batch) {today()}",)]
