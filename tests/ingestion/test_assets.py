"""The sensor: lands what waits, requests one run at a time, and says why it requests none."""

import dagster as dg
import pytest

from orchestration.errors import BrokerError
from orchestration.ingestion import circuit
from orchestration.ingestion.assets import DOCUMENTS, supplier_news_sensor
from orchestration.job_names import SCORE_PENDING
from orchestration.resources.dagster import LlmEndpoint, Postgres, Pubsub
from orchestration.resources.postgres import Connection, one
from orchestration.resources.pubsub import GooglePubsub
from tests.conftest import Analyst
from tests.scoring.scenario import RECALL, land_texts, run

pytestmark = pytest.mark.usefixtures("broker", "analyst")


def tick(instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    result = supplier_news_sensor(context, pubsub=Pubsub(), postgres=Postgres(), llm=LlmEndpoint())
    assert isinstance(result, dg.SensorResult)
    return result


def started_run(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> None:
    instance.add_run(dg.DagsterRun(job_name=SCORE_PENDING, status=status))


def test_a_tick_lands_reports_and_requests_one_run(
    connection: Connection, broker: GooglePubsub
) -> None:
    broker.publish(b'{"text": "Siemens recalls valves."}', {}).result(10)
    broker.publish(b"no document", {}).result(10)
    with dg.DagsterInstance.ephemeral() as instance:
        result = tick(instance)
    assert len(result.run_requests or []) == 1
    (event,) = result.asset_events
    assert isinstance(event, dg.AssetMaterialization)
    assert event.asset_key == DOCUMENTS
    assert {name: value.value for name, value in event.metadata.items()} == {
        "document": 1,
        "rejection": 1,
    }
    assert one(connection, "select count(*) as n from ingest.messages")["n"] == 2


def test_what_others_landed_since_the_last_tick_is_reported_once(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INGEST_PULLED_BY", "worker")
    with dg.DagsterInstance.ephemeral() as instance:
        land_texts(connection, "Acme recalls valves.", "Beta halts a line.")
        first = tick(instance)
        again = tick(instance, cursor=first.cursor)
        land_texts(connection, "Acme closes a mine.")
        last = tick(instance, cursor=again.cursor)
    assert [reported(each) for each in (first, again, last)] == [2, None, 1]


def reported(result: dg.SensorResult) -> object:
    """Documents, as the sensor's event has them."""
    for event in result.asset_events:
        return event.metadata["document"].value
    return None


def test_nothing_to_do_is_said(connection: Connection) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = tick(instance)
    assert (result.run_requests or [], result.asset_events) == ([], [])
    assert "nothing is pending" in str(result.skip_reason)


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_while_a_run_is_under_way_no_other_is_requested(
    connection: Connection, status: dg.DagsterRunStatus
) -> None:
    land_texts(connection, "Acme recalls valves.")
    with dg.DagsterInstance.ephemeral() as instance:
        started_run(instance, status)
        result = tick(instance)
    assert not result.run_requests
    assert "under way" in str(result.skip_reason)


def test_after_a_failed_run_the_next_one_waits(connection: Connection) -> None:
    land_texts(connection, "Acme recalls valves.")
    with dg.DagsterInstance.ephemeral() as instance:
        started_run(instance, dg.DagsterRunStatus.FAILURE)
        result = tick(instance)
    assert not result.run_requests
    assert "the last scoring run failed" in str(result.skip_reason)


def test_while_the_circuit_is_open_no_run_is_requested_before_the_next_trial(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, "Acme recalls valves.")
    circuit.trip(connection, analyst.settings, "401: wrong key")
    with dg.DagsterInstance.ephemeral() as instance:
        result = tick(instance)
        assert not result.run_requests
        assert "no call succeeds: 401: wrong key" in str(result.skip_reason)
        connection.execute("update llm.open_circuits set trial_at = now()")
        assert len(tick(instance).run_requests or []) == 1


def test_changes_that_a_killed_run_did_not_report_ask_for_a_run(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, RECALL)
    run(connection, analyst.settings, is_killed_before_events=True)
    with dg.DagsterInstance.ephemeral() as instance:
        assert not tick(instance).run_requests
        connection.execute(
            "update risk.unreported_pairs set changed_at = now() - interval '4 minutes'"
        )
        assert len(tick(instance).run_requests or []) == 1


def test_a_broker_that_is_away_does_not_hold_up_what_is_landed(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    land_texts(connection, "Acme recalls valves.")
    monkeypatch.setenv("PUBSUB_SUBSCRIPTION", "does-not-exist")
    with dg.DagsterInstance.ephemeral() as instance:
        assert len(tick(instance).run_requests or []) == 1


def test_a_broker_that_is_away_fails_a_tick_that_has_nothing_else_to_do(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBSUB_SUBSCRIPTION", "does-not-exist")
    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(BrokerError, match="does-not-exist"),
    ):
        tick(instance)
