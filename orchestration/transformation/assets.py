"""dbt in Dagster: its models, seeds and tests as assets, and the condition that refreshes them."""

import warnings
from collections.abc import Iterator
from typing import Any, cast

import dagster as dg
from dagster_dbt import DbtCliResource, DbtProject, dbt_assets

from orchestration.job_names import REFRESH_MARTS
from orchestration.scoring.assets import FINDINGS
from orchestration.transformation.build_metadata import with_row_counts_and_lineage
from orchestration.transformation.project import DBT, FOLDER, MANIFEST, TARGET
from orchestration.transformation.translator import Translator

PROJECT = DbtProject(project_dir=FOLDER, profiles_dir=FOLDER, target_path=TARGET)

# Conditions on jobs are a preview in the pinned Dagster; the pin is what makes that safe.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

_condition = dg.AutomationCondition
SCORING_IS_UNDER_WAY = _condition.asset_matches(
    # the last thing that a scoring run does is to evaluate the checks of its findings
    FINDINGS,
    _condition.any_checks_match(_condition.in_progress()),
)
# One condition for the whole job, so that dbt always builds the whole graph: conditions on single
# models would request them piecemeal.
# Scores decay, so a new day asks for a refresh too, shortly after midnight in UTC.
REFRESH_IS_DUE = (
    _condition.any_job_root_assets_match(
        _condition.any_deps_updated() | _condition.cron_tick_passed("5 0 * * *", "UTC")
    )
    .since(cast("dg.AutomationCondition[Any]", _condition.newly_requested()))
    .with_label("findings or documents changed since the last refresh, or a day began")
) & ~_condition.any_job_root_assets_match(
    _condition.in_progress() | SCORING_IS_UNDER_WAY
).with_label("a refresh or a scoring run is queued or under way")


@dbt_assets(
    name="dbt_models",
    manifest=MANIFEST,
    project=PROJECT,
    dagster_dbt_translator=Translator(),
    pool="dbt",
)
def dbt_models(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    """Build the selected models and seeds and run their tests, which are the asset checks."""
    command = ["build", "--exclude-resource-type", "unit_test"]
    invocation = dbt.cli(command, context=context, target_path=TARGET / "dagster")
    yield from with_row_counts_and_lineage(invocation)


refresh_marts = dg.define_asset_job(
    REFRESH_MARTS,
    selection=dg.AssetSelection.assets(dbt_models),
    description="Builds and tests all dbt models: what findings mean, by the policy in the seeds.",
    automation_condition=REFRESH_IS_DUE,
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
