"""dbt in Dagster: its models, seeds and tests as assets, and the condition that refreshes them."""

from collections.abc import Iterator
from typing import Any, cast

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets

from orchestration.job_names import REFRESH_MARTS
from orchestration.transformation.project import DBT, PROJECT
from orchestration.transformation.translator import Translator

# One condition for the whole job, so that dbt always builds the whole graph: conditions on single
# models would request them piecemeal. Findings or documents changed since the last request, and
# neither their run nor a refresh is queued or under way.
NEWS_IN_THE_SOURCES = (
    dg.AutomationCondition.any_job_root_assets_match(dg.AutomationCondition.any_deps_updated())
    .since(cast("dg.AutomationCondition[Any]", dg.AutomationCondition.newly_requested()))
    .with_label("the sources changed since the last refresh")
) & ~dg.AutomationCondition.any_job_root_assets_match(
    dg.AutomationCondition.in_progress() | dg.AutomationCondition.any_deps_in_progress()
).with_label("a source or a refresh is under way")


@dbt_assets(
    name="dbt_models",
    manifest=PROJECT.manifest_path,
    project=PROJECT,
    dagster_dbt_translator=Translator(),
)
def dbt_models(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    """Build the selected models and seeds and run their tests, which are the asset checks."""
    yield from dbt.cli(["build", "--exclude-resource-type", "unit_test"], context=context).stream()


refresh_marts = dg.define_asset_job(
    REFRESH_MARTS,
    selection=dg.AssetSelection.assets(dbt_models),
    description="Builds and tests all dbt models: what findings mean, by the policy in the seeds.",
    automation_condition=NEWS_IN_THE_SOURCES,
    tags={"supplier_risk/single_flight": REFRESH_MARTS},
)

marts_refresh_sensor = dg.AutomationConditionSensorDefinition(
    "marts_refresh_sensor",
    target=dg.AssetSelection.assets(dbt_models),
    asset_job_keys={dg.AssetJobKey(REFRESH_MARTS)},
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=5,
    description="Evaluates the automation condition of refresh_marts.",
)


def dbt_resource() -> DbtCliResource:
    """The dbt of this environment, on this project."""
    return DbtCliResource(project_dir=PROJECT, dbt_executable=str(DBT))
