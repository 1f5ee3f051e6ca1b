"""When the marts are refreshed: by news, and by a new day."""

from datetime import UTC, datetime

import dagster as dg

from orchestration.definitions import defs
from orchestration.ingestion.assets import DOCUMENTS

EVENING = datetime(2026, 3, 31, 23, 50, tzinfo=UTC)
NIGHT = datetime(2026, 4, 1, 0, 10, tzinfo=UTC)
LATER = datetime(2026, 4, 1, 0, 20, tzinfo=UTC)


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


def test_the_marts_are_refreshed_once_for_news() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        before = evaluate(instance, EVENING, None)
        instance.report_runless_asset_event(dg.AssetMaterialization(DOCUMENTS))
        news = evaluate(instance, EVENING, before)
        after = evaluate(instance, EVENING, news)
    assert [is_requested(r) for r in (before, news, after)] == [False, True, False]
