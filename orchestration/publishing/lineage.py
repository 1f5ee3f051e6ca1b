"""The dashboards as assets: which keys they have, what they descend from, whose fault is whose."""

from collections import defaultdict
from collections.abc import Iterator

import dagster as dg

from orchestration.publishing.bundle import Bundle, Dashboard, Dataset
from orchestration.publishing.fault import Fault
from orchestration.publishing.fit import marts_read
from orchestration.resources.superset import DatasetName


def dataset_key(dataset: Dataset) -> dg.AssetKey:
    """Apart from the mart, which has the same name."""
    return dg.AssetKey(["superset", "dataset", dataset.table_name])


def dashboard_key(dashboard: Dashboard) -> dg.AssetKey:
    """By its slug, as in its address."""
    return dg.AssetKey(["superset", "dashboard", dashboard.slug])


def specs(bundle: Bundle) -> Iterator[dg.AssetSpec]:
    """Of each dataset and dashboard, datasets first."""
    for dataset in bundle.datasets:
        yield dg.AssetSpec(
            dataset_key(dataset),
            deps=[dg.AssetKey(mart) for mart in sorted(marts_read(dataset))],
            group_name="dashboards",
            kinds={"superset"},
            description=f"The dataset {dataset.table_name} in Superset (superset/bundle/"
            f"{dataset.file}): {'a query over marts' if dataset.sql else 'a mart as it is'}.",
        )
    for dashboard in bundle.dashboards:
        yield dg.AssetSpec(
            dashboard_key(dashboard),
            deps=[dataset_key(dataset) for dataset in bundle.datasets_of(dashboard)],
            group_name="dashboards",
            kinds={"superset"},
            description=f"The dashboard {dashboard.title!r} in Superset, of "
            f"{len(dashboard.charts)} charts (superset/bundle/{dashboard.file}).",
        )


def by_asset(bundle: Bundle, found: list[Fault]) -> dict[dg.AssetKey, list[Fault]]:
    """A dashboard has the faults of its charts, too; what is nobody's own, such as one of
    access.yaml or of a chart in no dashboard, each of them has."""
    keys: defaultdict[str, list[dg.AssetKey]] = defaultdict(list)
    for dataset in bundle.datasets:
        keys[dataset.file].append(dataset_key(dataset))
    for dashboard in bundle.dashboards:
        keys[dashboard.file].append(dashboard_key(dashboard))
        for chart in bundle.charts:
            if chart.uuid in dashboard.charts:
                keys[chart.file].append(dashboard_key(dashboard))
    each = [dashboard_key(dashboard) for dashboard in bundle.dashboards]
    each = each or [dataset_key(dataset) for dataset in bundle.datasets]
    of_asset: defaultdict[dg.AssetKey, list[Fault]] = defaultdict(list)
    for fault in found:
        for key in keys.get(fault.file, each):
            of_asset[key].append(fault)
    return of_asset


def names_of(bundle: Bundle, selected: set[dg.AssetKey]) -> list[DatasetName]:
    """The selected datasets, and those of the selected dashboards."""
    databases = {database.uuid: database.name for database in bundle.databases}
    shown = {
        dataset
        for dashboard in bundle.dashboards
        if dashboard_key(dashboard) in selected
        for dataset in bundle.datasets_of(dashboard)
    }
    return [
        DatasetName(databases[dataset.database_uuid], dataset.schema, dataset.table_name)
        for dataset in bundle.datasets
        if dataset.database_uuid in databases
        and (dataset in shown or dataset_key(dataset) in selected)
    ]
