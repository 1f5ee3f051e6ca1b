"""When the marts are refreshed: by news of whatever they are made of, and by a new day; once."""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg
import pytest

from orchestration.definitions import defs
from orchestration.ingestion.assets import DOCUMENTS, SUPPLIERS
from orchestration.ingestion.dead_letter_jobs import DEAD_LETTERS
from orchestration.job_names import REFRESH_MARTS
from orchestration.partitions import PARTITIONS_NAME
from orchestration.scoring.assets import BRIEFS, FINDINGS, MENTIONS
from orchestration.transformation.assets import dbt_models

EVENING = datetime(2026, 3, 31, 23, 50, tzinfo=UTC)
NIGHT = datetime(2026, 4, 1, 0, 10, tzinfo=UTC)
LATER = datetime(2026, 4, 1, 0, 20, tzinfo=UTC)
PAIR = "acme@DE"
PARTITIONED = {FINDINGS, BRIEFS}
UPSTREAM = {
    parent
    for key in dbt_models.keys
    for parent in defs.resolve_asset_graph().get(key).parent_keys
    if parent not in dbt_models.keys
}


def evaluate(
    instance: dg.DagsterInstance,
    moment: datetime,
    previous: dg.EvaluateAutomationConditionsResult | None,
) -> dg.EvaluateAutomationConditionsResult:
    return dg.evaluate_automation_conditions(
        defs, instance, evaluation_time=moment, cursor=previous.cursor if previous else None
    )


def is_requested(result: dg.EvaluateAutomationConditionsResult) -> bool:
    return any(not evaluation.true_subset.is_empty for evaluation in result.results)


def test_the_marts_are_refreshed_once_when_a_day_begins_without_news() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        evening = evaluate(instance, EVENING, None)
        night = evaluate(instance, NIGHT, evening)
        later = evaluate(instance, LATER, night)
    assert [is_requested(r) for r in (evening, night, later)] == [False, True, False]


def report(instance: dg.DagsterInstance, key: dg.AssetKey) -> None:
    partition = PAIR if key in PARTITIONED else None
    instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition))


def requests(instance: dg.DagsterInstance, *news: Sequence[dg.AssetKey]) -> list[bool]:
    """Whether a refresh is asked for: before any news, then after each batch of them."""
    instance.add_dynamic_partitions(PARTITIONS_NAME, [PAIR])
    evaluated = [evaluate(instance, EVENING, None)]
    for batch in news:
        for key in batch:
            report(instance, key)
        evaluated.append(evaluate(instance, EVENING, evaluated[-1]))
    return [is_requested(result) for result in evaluated]


def test_the_marts_are_made_of_what_scoring_and_ingestion_leave() -> None:
    assert {DOCUMENTS, SUPPLIERS, DEAD_LETTERS, MENTIONS, FINDINGS} <= UPSTREAM
    assert {BRIEFS} >= UPSTREAM - {DOCUMENTS, SUPPLIERS, DEAD_LETTERS, MENTIONS, FINDINGS}


@pytest.mark.parametrize("key", sorted(UPSTREAM), ids=lambda key: key.to_user_string())
def test_the_marts_are_refreshed_once_for_news_of(key: dg.AssetKey) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert requests(instance, [key], []) == [False, True, False]


def test_much_news_at_once_is_one_refresh() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        everything = sorted(UPSTREAM)
        assert requests(instance, [*everything, *everything], []) == [False, True, False]


def test_news_during_a_refresh_waits_for_its_end_and_is_one_more() -> None:
    job = defs.resolve_job_def(REFRESH_MARTS)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(PARTITIONS_NAME, [PAIR])
        before = evaluate(instance, EVENING, None)
        run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
        report(instance, DOCUMENTS)
        report(instance, FINDINGS)
        during = evaluate(instance, EVENING, before)
        instance.report_run_canceled(run)
        after = evaluate(instance, EVENING, during)
        later = evaluate(instance, EVENING, after)
    results = (before, during, after, later)
    assert [is_requested(result) for result in results] == [False, False, True, False]
