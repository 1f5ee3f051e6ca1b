"""dbt in Dagster: its models, seeds and tests, and the sensor that refreshes them."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets

from orchestration.transformation.project import DBT, PROJECT
from orchestration.transformation.translator import Translator


@dbt_assets(
    name="dbt_models",
    manifest=PROJECT.manifest_path,
    project=PROJECT,
    dagster_dbt_translator=Translator(),
)
def dbt_models(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    yield from dbt.cli(
        ["build", "--exclude-resource-type", "unit_test"], context=context
    ).stream()


marts_refresh = dg.AutomationConditionSensorDefinition(
    "marts_refresh",
    target=dg.AssetSelection.assets(dbt_models),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=5,
    description="Builds the dbt models after findings or documents changed.",
)


def dbt_resource() -> DbtCliResource:
    """The dbt of this environment, on this project."""
    return DbtCliResource(project_dir=PROJECT, dbt_executable=str(DBT))
