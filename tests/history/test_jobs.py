"""History in Dagster: the replay job, and the sensors that go on with it and report changes."""

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from orchestration.definitions import defs
from orchestration.history import rollback
from orchestration.history.jobs import history_sensor, replay_sensor
from orchestration.history.replay import open_replay
from orchestration.history.selection import Selection
from orchestration.job_names import REPLAY
from orchestration.resources.dagster import LlmEndpoint, Postgres
from orchestration.resources.postgres import Connection
from tests.conftest import Analyst
from tests.history.replaying import ACME, count, reported, scored, wish

RESOURCES = {"postgres": Postgres(), "llm": LlmEndpoint()}


def launch(instance: dg.DagsterInstance, **config: object) -> dg.ExecuteInProcessResult:
    """As the launchpad does."""
    return defs.resolve_job_def(REPLAY).execute_in_process(
        instance=instance,
        run_config={"ops": {"replay_documents": {"config": config}}},
        raise_on_error=False,
    )


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    (output,) = [e for e in result.all_events if e.event_type_value == "STEP_OUTPUT"]
    return {name: entry.value for name, entry in output.step_output_data.metadata.items()}


def tick(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, cursor: str | None = None
) -> dg.SensorResult | dg.RunRequest | dg.SkipReason:
    context = dg.build_sensor_context(instance=instance, cursor=cursor, resources=RESOURCES)
    found = sensor(context)
    assert isinstance(found, dg.SensorResult | dg.RunRequest | dg.SkipReason)
    return found


def test_a_replay_from_the_launchpad_reports_its_pairs_and_how_the_generations_compare(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    with dg.DagsterInstance.ephemeral() as instance:
        done = launch(instance, suppliers=["acme"], fresh=True, reason="a launchpad")
    assert done.success
    events = [
        (event.asset_key.to_user_string(), event.partition, event.materialization.metadata)
        for event in done.all_events
        if event.event_type_value == "ASSET_MATERIALIZATION" and event.asset_key
    ]
    assert [event[:2] for event in events] == [
        ("risk_findings", "acme@MX"),
        ("risk_briefs", "acme@MX"),
    ]
    about = events[0][2]
    assert (about["generation"].value, about["generation_status"].value) == (2, "shadow")
    shown = metadata(done)
    assert (shown["pairs"], shown["pairs_left"], shown["documents_scored_now"]) == (1, 0, 1)
    assert (shown["paid_calls"], shown["base_generation_id"], shown["agreement"]) == (2, 1, 1.0)


def test_a_run_that_is_started_again_goes_on_with_what_it_had_opened(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    config = {"suppliers": ["acme"], "fresh": True, "reason": "twice"}
    run_config = {"ops": {"replay_documents": {"config": config}}}
    job = defs.resolve_job_def(REPLAY)
    with dg.DagsterInstance.ephemeral() as instance:
        first = job.execute_in_process(instance=instance, run_config=run_config)
        again = instance.create_run_for_job(
            job, run_config=run_config, parent_run_id=first.run_id, root_run_id=first.run_id
        )
        assert execute_run(InMemoryJob(job), again, instance).success
    assert count(connection, "risk.generations") == 2


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"reason": "why"}, "Say which documents"),
        ({"suppliers": ["acme"]}, "Say why"),
        ({"documents": ["7"], "reason": "why"}, "documents are UUIDs"),
        ({"since": "tomorrow", "reason": "why"}, "is not a time"),
        ({"generation": 7}, "There is no generation 7"),
    ],
)
def test_a_launchpad_config_that_makes_no_sense_fails_with_a_sentence(
    connection: Connection, analyst: Analyst, config: dict[str, object], complaint: str
) -> None:
    scored(connection, analyst.settings)
    with dg.DagsterInstance.ephemeral() as instance:
        done = launch(instance, **config)
    assert not done.success
    (failure,) = [e for e in done.all_events if e.event_type_value == "STEP_FAILURE"]
    assert complaint in str(failure.step_failure_data.error)
    assert count(connection, "risk.generations") == 1


def test_documents_that_fail_for_good_fail_the_run_after_the_others_are_reported(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    analyst.fail_with({"kind": "refusal", "times": 9, "contains": "valves"})
    with dg.DagsterInstance.ephemeral() as instance:
        done = launch(instance, everything=True, fresh=True, reason="to see")
        records = instance.fetch_materializations(dg.AssetKey("risk_findings"), limit=10).records
    assert not done.success
    partitions = {record.partition_key for record in records}
    assert partitions == {"acme@MX", "beta@DE"}
    (failure,) = [e for e in done.all_events if e.event_type_value == "STEP_FAILURE"]
    assert "1 refusal" in str(failure.step_failure_data.error)
    assert count(connection, "risk.assessments where generation_id = 2") == 1


def test_the_sensor_goes_on_with_a_replay_until_nothing_is_left(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    with dg.DagsterInstance.ephemeral() as instance:
        assert isinstance(tick(replay_sensor, instance), dg.SkipReason)
        opened = open_replay(connection, analyst.settings, wish(is_fresh=True))
        asked = tick(replay_sensor, instance)
        assert isinstance(asked, dg.RunRequest)
        assert asked.run_config == {
            "ops": {"replay_documents": {"config": {"generation": opened.generation_id}}}
        }
        done = defs.resolve_job_def(REPLAY).execute_in_process(
            instance=instance, run_config=asked.run_config
        )
        assert done.success
        assert isinstance(tick(replay_sensor, instance), dg.SkipReason)


def test_what_a_rollback_changed_is_reported_once_with_its_reason(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    rollback.roll_back(connection, ACME, "wrong", "tester")
    with dg.DagsterInstance.ephemeral() as instance:
        first = tick(history_sensor, instance)
        assert isinstance(first, dg.SensorResult)
        events = list(first.asset_events)
        assert [(e.asset_key.to_user_string(), e.partition) for e in events] == [
            ("risk_findings", "acme@MX"),
            ("risk_briefs", "acme@MX"),
        ]
        assert events[0].metadata["reason"].value == "rollback 1 by tester: wrong"
        assert events[0].metadata["findings"].value == 0
        lost = tick(history_sensor, instance)
        assert isinstance(lost, dg.SensorResult)
        assert len(list(lost.asset_events)) == 2, "a tick whose cursor was lost is told again"
        second = tick(history_sensor, instance, first.cursor)
        assert isinstance(second, dg.SensorResult)
        assert list(second.asset_events or []) == []
    assert reported(connection) == {}


def test_a_selection_in_words_names_what_is_meant() -> None:
    selection = Selection(suppliers=("acme", "beta"), countries=("DE",))
    assert str(selection) == "supplier acme or beta, country DE"
    assert str(Selection()) == "everything"
