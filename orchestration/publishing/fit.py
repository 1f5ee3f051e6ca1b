"""Whether the dashboards fit the marts: the bundle against dbt's manifest, and in itself.

Starts no Superset and asks no database. The names and types of columns come from the contracts.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlglot.errors import SqlglotError

from orchestration.publishing.bundle import Bundle, Chart, Dashboard, Dataset, NativeFilter
from orchestration.publishing.chart_faults import chart_faults, takes_time
from orchestration.publishing.dataset_faults import category_faults, dataset_faults
from orchestration.publishing.dataset_sql import Contract, tables_read
from orchestration.publishing.fault import Fault
from orchestration.publishing.html_faults import html_faults

_EXPOSURES = "dbt_project/models/exposures.yml"


def faults(bundle: Bundle, manifest: Path, buyers: Collection[str]) -> list[Fault]:
    """All that would break or mislead, sorted by file; [] if all fits.

    `buyers` are slugs of the dashboards whose rows are limited to a buyer's categories.
    """
    content = json.loads(manifest.read_bytes())
    marts = _marts(content)
    found = [fault for dataset in bundle.datasets for fault in dataset_faults(dataset, marts)]
    found += _of_databases(bundle)
    found += _of_charts(bundle)
    for dashboard in bundle.dashboards:
        found += _of_dashboard(bundle, dashboard)
    found += _of_exposures(bundle, _exposures(content))
    found += _of_buyers(bundle, buyers)
    found += html_faults(bundle)
    found += _of_uuids(bundle)
    return sorted(set(found), key=lambda fault: (fault.file, fault.what))


def marts_read(dataset: Dataset) -> frozenset[str]:
    """What it reads; nothing where its SQL cannot be read, which is a fault of its own."""
    try:
        return tables_read(dataset)
    except SqlglotError:
        return frozenset()


def _marts(manifest: Mapping[str, Any]) -> dict[str, Contract]:
    return {
        node["name"]: {name: column["data_type"] for name, column in node["columns"].items()}
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] == "marts"
    }


def _exposures(manifest: Mapping[str, Any]) -> dict[str, set[str]]:
    """The marts that each dashboard says it shows, by name of the exposure."""
    return {
        exposure["name"]: {key.rpartition(".")[2] for key in exposure["depends_on"]["nodes"]}
        for exposure in manifest["exposures"].values()
        if exposure["type"] == "dashboard"
    }


def _of_databases(bundle: Bundle) -> Iterator[Fault]:
    uuids = {database.uuid for database in bundle.databases}
    for dataset in bundle.datasets:
        if dataset.database_uuid not in uuids:
            what = f"database_uuid {dataset.database_uuid} is no database of the bundle"
            yield Fault(dataset.file, what, "take the uuid of a file in databases")


def _of_charts(bundle: Bundle) -> Iterator[Fault]:
    datasets = {dataset.uuid: dataset for dataset in bundle.datasets}
    placed = {uuid for dashboard in bundle.dashboards for uuid in dashboard.charts}
    for chart in bundle.charts:
        dataset = datasets.get(chart.dataset_uuid)
        if dataset is None:
            what = f"dataset_uuid {chart.dataset_uuid} is no dataset of the bundle"
            yield Fault(chart.file, what, "take the uuid of a file in datasets/marts")
        else:
            yield from chart_faults(chart, dataset)
        if chart.uuid not in placed:
            what = f"the chart {chart.slice_name!r} stands in no dashboard"
            yield Fault(chart.file, what, "place it in the position of one, or delete the file")


def _of_dashboard(bundle: Bundle, dashboard: Dashboard) -> Iterator[Fault]:
    charts = {chart.uuid for chart in bundle.charts}
    for uuid in dashboard.charts:
        if uuid not in charts:
            what = f"the chart {uuid} in its position is none of the bundle"
            yield Fault(dashboard.file, what, "take it out of position, or add the chart")
    for native in dashboard.filters:
        yield from _of_filter(bundle, dashboard, native)


def _of_filter(bundle: Bundle, dashboard: Dashboard, native: NativeFilter) -> Iterator[Fault]:
    """A chart that a filter does not reach stays as it is, and looks as if it were filtered."""
    columns = {
        dataset.uuid: {column.name for column in dataset.columns} for dataset in bundle.datasets
    }
    placed = set(dashboard.charts) - native.excluded
    reached = [chart for chart in bundle.charts if chart.uuid in placed]
    if native.filter_type == "filter_time":
        for chart in reached:
            if not takes_time(chart):
                fix = "give it a filter with TEMPORAL_RANGE, or exclude it from the filter"
                yield Fault(dashboard.file, _nothing(native, chart), fix)
    for uuid, name in native.targets:
        if name not in columns.get(uuid, set()):
            what = f"the filter {native.name} is of the column {name} of {uuid}"
            fix = "name a dataset of the bundle and a column that it has"
            yield Fault(dashboard.file, f"{what}, which does not exist", fix)
            continue
        for chart in reached:
            if name not in columns.get(chart.dataset_uuid, {name}):
                fix = f"give its dataset the column {name}, or exclude the chart from the filter"
                yield Fault(dashboard.file, _nothing(native, chart), fix)


def _nothing(native: NativeFilter, chart: Chart) -> str:
    return f"the filter {native.name} does nothing to {chart.slice_name!r}"


def _of_exposures(bundle: Bundle, exposures: Mapping[str, set[str]]) -> Iterator[Fault]:
    names = {dashboard.slug.replace("-", "_"): dashboard for dashboard in bundle.dashboards}
    for name in sorted(exposures.keys() - names.keys()):
        what = f"no dashboard has the slug of the exposure {name}"
        yield Fault("dashboards", what, f"add the dashboard, or remove it from {_EXPOSURES}")
    for name, dashboard in names.items():
        if name not in exposures:
            what = f"no exposure of dbt is named {name}"
            yield Fault(dashboard.file, what, f"add it to {_EXPOSURES}")
            continue
        shown = {mart for one in bundle.datasets_of(dashboard) for mart in marts_read(one)}
        for mart in sorted(shown - exposures[name]):
            what = f"it shows {mart}, and the exposure {name} does not depend on that"
            yield Fault(dashboard.file, what, f"add ref('{mart}') in {_EXPOSURES}")
        for mart in sorted(exposures[name] - shown):
            what = f"the exposure {name} depends on {mart}, which it does not show"
            yield Fault(dashboard.file, what, f"remove ref('{mart}') in {_EXPOSURES}, or show it")


def _of_buyers(bundle: Bundle, buyers: Collection[str]) -> Iterator[Fault]:
    dashboards = {dashboard.slug: dashboard for dashboard in bundle.dashboards}
    for slug in buyers:
        if slug not in dashboards:
            what = f"no dashboard has the slug {slug}, which buyers are to see"
            yield Fault("../access.yaml", what, "correct dashboards_of_buyers")
            continue
        for dataset in bundle.datasets_of(dashboards[slug]):
            yield from category_faults(dataset, slug)


def _of_uuids(bundle: Bundle) -> Iterator[Fault]:
    uuids = {
        **{database.file: database.uuid for database in bundle.databases},
        **{dataset.file: dataset.uuid for dataset in bundle.datasets},
        **{chart.file: chart.uuid for chart in bundle.charts},
        **{dashboard.file: dashboard.uuid for dashboard in bundle.dashboards},
    }
    counts = Counter(uuids.values())
    for file, uuid in uuids.items():
        if counts[uuid] > 1:
            what = f"uuid {uuid} is that of another file, too"
            yield Fault(file, what, "give one of them a new one")
