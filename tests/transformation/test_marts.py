"""dbt on real PostgreSQL: from findings to marts that add up, and fail when rows are missing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.ingestion.message import Document
from orchestration.resources.postgres import Connection, connect, one
from orchestration.settings import PostgresSettings
from tests.conftest import Analyst
from tests.migrations.test_roles import connect_as
from tests.scoring.scenario import BANKRUPTCY, RECALL, land_documents, land_texts, run
from tests.transformation.building import build, differences, failures, rows, snapshot, today

AS_OF = "2026-03-31"


def news(text: str, day: str, publisher: str = "press", **fields: Any) -> Document:
    date = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return Document(text=text, published_at=date, publisher=publisher, **fields)


def move_to(database: PostgresSettings, day: str) -> None:
    """As if everything had been found and assessed on that day."""
    with connect_as(database, "migrator") as owner:
        for statement in (
            "update risk.mentions set created_at = %s",
            "update risk.assessments set created_at = %s",
            "update risk.generations set opened_at = %s, live_from = %s",
        ):
            owner.execute(statement, [day] * statement.count("%s"))


@pytest.fixture
def scored(connection: Connection, analyst: Analyst, database: PostgresSettings) -> Connection:
    land_documents(
        connection,
        [
            news(BANKRUPTCY, AS_OF, publisher="cisa.gov/ics-advisories"),
            news(RECALL, "2026-03-01"),
            news("Acme Corp recalls pumps in Mexico.", "2026-03-02", publisher="wire"),
            news("Acme Corp is praised in Peru.", AS_OF),
            news("Nobody is named.", AS_OF),
        ],
        batch="b1",
    )
    land_documents(connection, [news(RECALL, "2026-03-20", publisher="copy")], batch="b2")
    run(connection, analyst.settings)
    move_to(database, AS_OF)
    return connection


def test_findings_become_scores_events_evidence_and_a_reconciliation(
    scored: Connection, database: PostgresSettings
) -> None:
    build(AS_OF)
    overall = rows(
        scored,
        "select supplier_id, country, score, band, confidence, events, documents, top_dimension,"
        " models from marts.supplier_risk_current where dimension = 'overall' order by 1, 2",
    )
    # insolvency: level 5, official, confirmed, today: 1.0 x 95 = 95, and one dimension only
    assert overall[2] == (
        *("beta", "DE", 95, "critical", "low", 1, 1, "financial", "offline-analyst-1"),
    )
    assert overall[1][:4] == ("acme", "PE", None, "no signal")
    # the copy counts for nothing: two documents of two publishers make one recall
    assert overall[0][5:8] == (1, 2, "operational")
    event = rows(
        scored,
        "select first_seen_on::text, last_seen_on::text, documents, publishers, evidence_quote"
        " from marts.risk_events where supplier_id = 'acme'",
    )
    assert event == [("2026-03-01", "2026-03-02", 2, 2, RECALL)]
    evidence = rows(
        scored,
        "select count(*), count(*) filter (where quote_verified) as verified,"
        " count(event_id) as in_events"
        " from marts.risk_evidence",
    )
    assert evidence == [(4, 4, 3)]
    assert rows(scored, "select * from marts.pipeline_reconciliation order by 1") == [
        ("b1", 5, 0, 0, 0, 0, 1, 0, 0, 4, 0),
        ("b2", 1, 0, 1, 0, 0, 0, 0, 0, 0, 0),
    ]
    countries = rows(
        scored,
        "select country, score, suppliers, worst_supplier_id from marts.country_risk_current"
        " where dimension = 'overall' order by score desc",
    )
    assert countries[0] == ("DE", 95, 1, "beta")
    with connect_as(database, "bi_reader") as reader:
        assert reader.execute("select count(*) from marts.risk_events").fetchone() == (2,)


def test_equal_inputs_give_equal_rows_and_age_lowers_the_score(scored: Connection) -> None:
    build(AS_OF)
    first = snapshot(scored)
    build(AS_OF)
    assert differences(first, snapshot(scored)) == {}
    build("2026-09-27")
    later = one(
        scored,
        "select score from marts.supplier_risk_current"
        " where supplier_id = 'beta' and dimension = 'overall'",
    )
    assert float(later["score"]) == pytest.approx(95 / 2)


def test_an_outdated_version_and_an_unverified_quote_leave_the_scores(
    connection: Connection, analyst: Analyst, database: PostgresSettings
) -> None:
    first = news(BANKRUPTCY, AS_OF, external_id="a", source="s")
    land_documents(connection, [first, news(RECALL, AS_OF)])
    run(connection, analyst.settings)
    correction = news("Beta AG is well.", AS_OF, external_id="a", source="s", version=2)
    land_documents(connection, [correction])
    run(connection, analyst.settings)
    with connect_as(database, "migrator") as owner:
        owner.execute(
            "update risk.findings set quote_verified = false, quote_start = null, quote_end = null"
        )
    build(f"{today()}")
    assert rows(
        connection,
        "select supplier_id, country, score, band from marts.supplier_risk_current order by 1",
    ) == [("acme", "MX", None, "no signal"), ("beta", "DE", None, "no signal")]
    assert rows(connection, "select count(*) from marts.risk_evidence") == [(2,)]


def test_dates_that_were_moved_move_the_event_dates_too(
    connection: Connection, analyst: Analyst, database: PostgresSettings
) -> None:
    document = Document(
        text=RECALL,
        published_at=datetime(2026, 3, 30, tzinfo=UTC),
        original_published_at=datetime(2016, 3, 30, tzinfo=UTC),
    )
    land_documents(connection, [document])
    run(connection, analyst.settings)
    with connect_as(database, "migrator") as owner:
        owner.execute("update risk.findings set event_date = '2016-03-20'")
    move_to(database, AS_OF)
    build(AS_OF)
    assert rows(connection, "select first_seen_on::text from marts.risk_events") == [
        ("2026-03-20",)
    ]


def test_a_date_in_the_future_counts_as_the_day_it_was_received(
    connection: Connection, analyst: Analyst
) -> None:
    day = today()
    land_documents(connection, [news(BANKRUPTCY, "2199-01-01")])
    run(connection, analyst.settings)
    build(f"{day + timedelta(days=1)}")
    assert rows(connection, "select first_seen_on::text from marts.risk_events") == [(f"{day}",)]


@pytest.mark.parametrize(
    ("damage", "test"),
    [
        (
            "update risk.findings set dimension = 'astrology'",
            "int_findings",
        ),
        ("delete from risk.findings; delete from risk.assessments", "pipeline_reconciliation_gap"),
    ],
)
def test_rows_that_do_not_add_up_turn_the_build_red(
    scored: Connection, database: PostgresSettings, damage: str, test: str
) -> None:
    with connect_as(database, "migrator") as owner:
        owner.execute(damage)
    failed = failures("build", "--exclude-resource-type", "unit_test", as_of=AS_OF)
    assert any(test in name for name in failed), failed


@pytest.mark.parametrize(
    ("damage", "test"),
    [
        (
            "delete from marts.risk_evidence where supplier_id = 'acme'",
            "evidence_holds_every_current_finding",
        ),
        (
            "insert into marts.risk_evidence"
            " select (jsonb_populate_record(shown, '{\"finding_id\": 999}')).*"
            " from marts.risk_evidence as shown where supplier_id = 'acme'",
            "evidence_holds_every_current_finding",
        ),
        (
            "delete from marts.supplier_risk_current where supplier_id = 'acme'",
            "overall_holds_every_observed_pair",
        ),
        (
            "insert into marts.supplier_risk_current"
            ' select (jsonb_populate_record(shown, \'{"country": "FR"}\')).*'
            " from marts.supplier_risk_current as shown where supplier_id = 'acme'",
            "overall_holds_every_observed_pair",
        ),
        (
            "insert into intermediate.int_assessment_periods"
            " select (jsonb_populate_record(period, '{\"assessment_id\": 999}')).*"
            " from intermediate.int_assessment_periods as period limit 1",
            "one_assessment_counts_for_a_mention",
        ),
    ],
)
def test_rows_that_are_missing_and_rows_too_many_are_noticed(
    connection: Connection, analyst: Analyst, database: PostgresSettings, damage: str, test: str
) -> None:
    connection.execute("insert into risk.pairs (supplier_id, country) values ('acme', 'FR')")
    land_texts(connection, BANKRUPTCY, RECALL)
    run(connection, analyst.settings)
    build(f"{today()}")
    with connect_as(database, "transformer") as owner:
        owner.execute(damage)
    assert failures("test", "--select", "test_type:singular", as_of=f"{today()}") == [test]


def test_what_changed_while_a_build_went_on_is_no_reason_for_alarm(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, BANKRUPTCY, RECALL)
    run(connection, analyst.settings)
    build(f"{today()}")
    land_texts(connection, RECALL.replace("valves", "hoses"))
    run(connection, analyst.settings, run_id="meanwhile")
    assert failures("test", "--select", "test_type:singular", as_of=f"{today()}") == []


def test_an_empty_database_builds(database: PostgresSettings) -> None:
    build(AS_OF)
    with connect(database, "test") as connection:
        assert rows(connection, "select count(*) from marts.supplier_risk_current") == [(0,)]


def test_a_supplier_without_a_country_in_the_news_has_no_row_and_breaks_nothing(
    scored: Connection, database: PostgresSettings
) -> None:
    with connect_as(database, "migrator") as owner:
        owner.execute(
            "insert into ingest.suppliers (supplier_id, version, name, aliases, home_country)"
            " values ('quiet', 1, 'Quiet Ltd', '{}', 'FR')"
        )
        owner.execute("delete from ingest.suppliers where supplier_id = 'beta'")
    build(AS_OF)
    shown = rows(
        scored, "select distinct supplier_id, supplier_name from marts.supplier_risk_current"
    )
    assert set(shown) == {("acme", "Acme Corp"), ("beta", "beta")}


def test_the_dbt_unit_tests_hold(database: PostgresSettings) -> None:
    build(AS_OF)
    assert failures("test", "--select", "test_type:unit", as_of=AS_OF) == []


def test_documents_of_the_same_day_and_kind_are_one_event_however_many(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, BANKRUPTCY)
    run(connection, analyst.settings)
    build(f"{today()}")
    before = rows(connection, "select score from marts.supplier_risk_current")
    land_documents(
        connection,
        [Document(text=f"Beta AG files for bankruptcy, paper {n} says.") for n in range(10)],
    )
    run(connection, analyst.settings)
    build(f"{today()}")
    assert rows(connection, "select score from marts.supplier_risk_current") == before
