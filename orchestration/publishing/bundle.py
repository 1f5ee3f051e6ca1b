"""The dashboards as the repository has them: superset/bundle, in Superset's export format.

Reads what lineage and the check of fit.py need; Superset itself validates the rest at import.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from orchestration.errors import BundleError
from orchestration.settings import REPOSITORY

FOLDER = REPOSITORY / "superset" / "bundle"
ACCESS = REPOSITORY / "superset" / "access.yaml"

T = TypeVar("T")


@dataclass(frozen=True)
class Database:
    """A database as Superset knows it; where it is, each place says itself."""

    file: str
    uuid: str
    name: str


@dataclass(frozen=True)
class Column:
    """`expression` is SQL over the columns that the dataset's query returns; None for one of them.
    `type` is PostgreSQL's, such as NUMERIC(4, 1)."""

    name: str
    type: str | None
    expression: str | None


@dataclass(frozen=True)
class Metric:
    """An aggregate, in SQL over the columns that the dataset's query returns."""

    name: str
    expression: str


@dataclass(frozen=True)
class Dataset:
    """A table or, with `sql`, a query. `file` is relative to the bundle, in every class here."""

    file: str
    uuid: str
    database_uuid: str
    table_name: str
    schema: str | None
    sql: str | None
    columns: tuple[Column, ...]
    metrics: tuple[Metric, ...]
    main_dttm_col: str | None


@dataclass(frozen=True)
class Chart:
    """`params` are Superset's form data: which columns and metrics are shown, and how."""

    file: str
    uuid: str
    slice_name: str
    viz_type: str
    dataset_uuid: str
    params: Mapping[str, Any]


@dataclass(frozen=True)
class NativeFilter:
    """`targets` are (UUID of the dataset, column); a filter of time has none. `excluded` are the
    charts, by UUID, that it is not to filter."""

    name: str
    filter_type: str
    targets: tuple[tuple[str, str], ...]
    excluded: frozenset[str]


@dataclass(frozen=True)
class Dashboard:
    """`charts` are UUIDs, in the order of the file."""

    file: str
    uuid: str
    title: str
    slug: str
    charts: tuple[str, ...]
    filters: tuple[NativeFilter, ...]


@dataclass(frozen=True)
class Bundle:
    """All of it, sorted by file."""

    databases: tuple[Database, ...]
    datasets: tuple[Dataset, ...]
    charts: tuple[Chart, ...]
    dashboards: tuple[Dashboard, ...]

    def datasets_of(self, dashboard: Dashboard) -> list[Dataset]:
        """What its charts and filters ask, by name; what the bundle lacks is left out."""
        placed = set(dashboard.charts)
        uuids = {chart.dataset_uuid for chart in self.charts if chart.uuid in placed}
        uuids |= {uuid for native in dashboard.filters for uuid, _ in native.targets}
        found = [dataset for dataset in self.datasets if dataset.uuid in uuids]
        return sorted(found, key=lambda dataset: dataset.table_name)


def read(folder: Path = FOLDER) -> Bundle:
    """Read a bundle; a folder that does not exist holds nothing.

    Raises BundleError naming the file and the key that is missing or of another kind, or two files
    that would be the same dataset or dashboard.
    """
    bundle = Bundle(
        databases=tuple(_database(file) for file in _files(folder, "databases")),
        datasets=tuple(_dataset(file) for file in _files(folder, "datasets")),
        charts=tuple(_chart(file) for file in _files(folder, "charts")),
        dashboards=tuple(_dashboard(file) for file in _files(folder, "dashboards")),
    )
    _differ("table_name", [(dataset.table_name, dataset.file) for dataset in bundle.datasets])
    _differ("slug", [(dashboard.slug, dashboard.file) for dashboard in bundle.dashboards])
    return bundle


def dashboards_of_buyers(path: Path = ACCESS) -> list[str]:
    """Slugs of the dashboards in which a buyer sees the suppliers of their own categories alone.

    Raises BundleError.
    """
    slugs = _Entry.of(path, path.name).need("dashboards_of_buyers", list)
    return [str(slug) for slug in slugs]


@dataclass(frozen=True)
class _Entry:
    """A mapping of a file; `at` is the way to it, for errors."""

    file: str
    content: Mapping[str, Any]
    at: str = ""

    @classmethod
    def of(cls, path: Path, file: str) -> "_Entry":
        try:
            content = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
        except (OSError, yaml.YAMLError) as error:
            raise BundleError(f"{file} cannot be read as YAML: {error}") from None
        if not isinstance(content, dict):
            raise BundleError(f"{file} must be a mapping of keys to values.")
        return cls(file, content)

    def need(self, key: str, kind: type[T]) -> T:
        value = self.may(key, kind)
        if value is None:
            raise BundleError(f"{self.file}: {self.at}{key} is missing. {_EXPORT}")
        return value

    def may(self, key: str, kind: type[T]) -> T | None:
        value = self.content.get(key)
        if value is not None and not isinstance(value, kind):
            found = type(value).__name__
            wanted = f"must be a {kind.__name__}, not a {found}"
            raise BundleError(f"{self.file}: {self.at}{key} {wanted}. {_EXPORT}")
        return value

    def entry(self, key: str) -> "_Entry":
        """The mapping under a key, empty if there is none."""
        return _Entry(self.file, self.may(key, dict) or {}, f"{self.at}{key}.")

    def entries(self, key: str) -> Iterator["_Entry"]:
        for number, value in enumerate(self.may(key, list) or []):
            if not isinstance(value, dict):
                raise BundleError(f"{self.file}: {self.at}{key}[{number}] must be a mapping.")
            yield _Entry(self.file, value, f"{self.at}{key}[{number}].")


_EXPORT = "What to do: export it from Superset once, and see how the key is written there."


def _files(folder: Path, kind: str) -> Iterator[_Entry]:
    for path in sorted((folder / kind).rglob("*.yaml")):
        yield _Entry.of(path, path.relative_to(folder).as_posix())


def _differ(key: str, found: list[tuple[str, str]]) -> None:
    """No value of (value, file) may stand in two files: it is the key of an asset."""
    files: dict[str, str] = {}
    for value, file in found:
        first = files.setdefault(value, file)
        if first != file:
            raise BundleError(
                f"{first} and {file} have the same {key}, {value}, which is what Dagster knows "
                f"them by. What to do: give one of them another {key}, or delete it."
            )


def _database(entry: _Entry) -> Database:
    name = entry.need("database_name", str)
    return Database(file=entry.file, uuid=entry.need("uuid", str), name=name)


def _dataset(entry: _Entry) -> Dataset:
    return Dataset(
        file=entry.file,
        uuid=entry.need("uuid", str),
        database_uuid=entry.need("database_uuid", str),
        table_name=entry.need("table_name", str),
        schema=entry.may("schema", str),
        sql=entry.may("sql", str),
        columns=tuple(
            Column(
                column.need("column_name", str),
                column.may("type", str),
                column.may("expression", str) or None,
            )
            for column in entry.entries("columns")
        ),
        metrics=tuple(
            Metric(metric.need("metric_name", str), metric.need("expression", str))
            for metric in entry.entries("metrics")
        ),
        main_dttm_col=entry.may("main_dttm_col", str),
    )


def _chart(entry: _Entry) -> Chart:
    return Chart(
        file=entry.file,
        uuid=entry.need("uuid", str),
        slice_name=entry.need("slice_name", str),
        viz_type=entry.need("viz_type", str),
        dataset_uuid=entry.need("dataset_uuid", str),
        params=entry.need("params", dict),
    )


def _dashboard(entry: _Entry) -> Dashboard:
    position = entry.entry("position")
    placed = [
        position.entry(key).entry("meta")
        for key, value in position.content.items()
        if isinstance(value, dict) and value.get("type") == "CHART"
    ]
    uuids = {chart.may("chartId", int): chart.need("uuid", str) for chart in placed}
    filters = entry.entry("metadata").entries("native_filter_configuration")
    return Dashboard(
        file=entry.file,
        uuid=entry.need("uuid", str),
        title=entry.need("dashboard_title", str),
        slug=entry.need("slug", str),
        charts=tuple(chart.need("uuid", str) for chart in placed),
        filters=tuple(_filter(native, uuids) for native in filters),
    )


def _filter(entry: _Entry, uuids: Mapping[int | None, str]) -> NativeFilter:
    """`uuids` by the number that a chart has within the file."""
    excluded = entry.entry("scope").may("excluded", list) or []
    return NativeFilter(
        name=entry.need("name", str),
        filter_type=entry.need("filterType", str),
        targets=tuple(
            (target.need("datasetUuid", str), target.entry("column").need("name", str))
            for target in entry.entries("targets")
            if target.content
        ),
        excluded=frozenset(uuids[number] for number in excluded if number in uuids),
    )
