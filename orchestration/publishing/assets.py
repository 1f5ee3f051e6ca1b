"""The dashboards in Dagster: lineage from the marts on, the check that they fit, and the run after
each refresh that lets Superset drop what its charts remember.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from orchestration.ingestion.assets import UNFINISHED
from orchestration.job_names import REFRESH_DASHBOARDS, REFRESH_MARTS
from orchestration.publishing.bundle import ACCESS, Bundle, dashboards_of_buyers, read
from orchestration.publishing.fault import Fault
from orchestration.publishing.fit import faults, marts_read
from orchestration.publishing.lineage import by_asset, dashboard_key, names_of, specs
from orchestration.resources.dagster import SupersetDoor
from orchestration.resources.superset import NOT_SET, Superset
from orchestration.transformation.project import MANIFEST

FITS = "fits_the_marts"
_WHAT_FITS = "Columns, types, expressions and marts are what dbt says of the marts."


def dashboards_of(bundle: Bundle, access: Path = ACCESS) -> dg.AssetsDefinition:
    """One asset for each dataset and dashboard, each with a check; any of them may be run alone.

    `access` says which dashboards buyers see.
    """
    assets = list(specs(bundle))
    keys = [spec.key for spec in assets]

    @dg.multi_asset(
        name="dashboards",
        specs=assets,
        check_specs=[dg.AssetCheckSpec(FITS, asset=key, description=_WHAT_FITS) for key in keys],
        can_subset=True,
    )
    def dashboards(context: dg.AssetExecutionContext, superset: SupersetDoor) -> Iterator[Any]:
        """See to the checks, and let Superset drop what it has cached of the selected."""
        found = by_asset(bundle, faults(bundle, MANIFEST, dashboards_of_buyers(access)))
        selected = context.selected_asset_keys
        door = superset.open()
        if door is not None and selected:
            door.forget(names_of(bundle, selected))
        urls = _urls(bundle, door)
        for key in keys:
            check = _check(key, found[key])
            is_checked = dg.AssetCheckKey(key, FITS) in context.selected_asset_check_keys
            if key in selected:
                told = {"superset": "dropped what it had cached" if door else NOT_SET}
                yield dg.MaterializeResult(
                    asset_key=key,
                    metadata=told | urls.get(key, {}),
                    check_results=[check] if is_checked else [],
                )
            elif is_checked:
                yield check

    return dashboards


BUNDLE = read()
dashboards = dashboards_of(BUNDLE)

refresh_dashboards = dg.define_asset_job(
    REFRESH_DASHBOARDS,
    selection=dg.AssetSelection.assets(dashboards),
    description="Checks that the dashboards fit the marts, and lets Superset drop what its charts "
    "remember, so that they show the last refresh.",
)


def sensor_of(bundle: Bundle) -> dg.SensorDefinition:
    """The sensor that requests the job above for the marts that this bundle reads."""
    marts = {mart for dataset in bundle.datasets for mart in marts_read(dataset)}
    keys = [dg.AssetKey(mart) for mart in sorted(marts)]

    @dg.sensor(
        job_name=REFRESH_DASHBOARDS,
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests refresh_dashboards once after each refresh of the marts, while "
        "Superset is up.",
    )
    def dashboards_sensor(
        context: dg.SensorEvaluationContext, superset: SupersetDoor
    ) -> dg.SensorResult:
        """The cursor is the event log's number of the newest mart that a run was requested for."""
        door = superset.open()
        if door is None:
            return dg.SensorResult(skip_reason=NOT_SET)
        newest = _newest(context.instance, keys)
        if newest <= int(context.cursor or 0):
            return dg.SensorResult(skip_reason="the marts are as they were")
        unfinished = dg.RunsFilter(job_name=REFRESH_MARTS, statuses=UNFINISHED)
        if context.instance.get_runs(unfinished, limit=1):
            return dg.SensorResult(skip_reason="a refresh of the marts is queued or under way")
        if not door.is_up():
            return dg.SensorResult(skip_reason="Superset does not answer at SUPERSET_URL")
        # once more: a refresh may have gone on between the first look and its end
        newest = _newest(context.instance, keys)
        request = dg.RunRequest(run_key=str(newest))
        return dg.SensorResult(run_requests=[request], cursor=str(newest))

    return dashboards_sensor


dashboards_sensor = sensor_of(BUNDLE)


def _newest(instance: dg.DagsterInstance, keys: list[dg.AssetKey]) -> int:
    """Number in the event log of the last materialization among these assets; 0 before any."""
    records = instance.get_asset_records(keys)
    return max((r.asset_entry.last_materialization_storage_id or 0 for r in records), default=0)


def _check(key: dg.AssetKey, found: list[Fault]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not found,
        asset_key=key,
        check_name=FITS,
        description="\n".join(map(str, found)) or None,
        metadata={"faults": len(found)},
    )


def _urls(bundle: Bundle, door: Superset | None) -> dict[dg.AssetKey, dict[str, Any]]:
    if door is None:
        return {}
    return {
        dashboard_key(dashboard): {"url": dg.MetadataValue.url(door.dashboard_url(dashboard.slug))}
        for dashboard in bundle.dashboards
    }
