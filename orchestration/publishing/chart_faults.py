"""Whether a chart asks for columns and metrics that its dataset has."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from orchestration.publishing.bundle import Chart, Dataset
from orchestration.publishing.dataset_faults import expression_faults
from orchestration.publishing.fault import Fault

# Keys of Superset's form data, over all types of charts; the second query of a mixed chart has
# the same keys with _b.
_COLUMNS = (
    *("all_columns", "all_columns_x", "all_columns_y", "columns", "dimension", "entity"),
    *("granularity_sqla", "groupby", "groupbyColumns", "groupbyRows", "series", "series_columns"),
    *("source", "target", "time_column", "tooltip_columns", "x_axis", "y_axis"),
)
_METRICS = (
    *("metric", "metrics", "percent_metrics", "secondary_metric", "series_limit_metric"),
    *("size", "sort_by_metric", "timeseries_limit_metric", "tooltip_metrics", "x", "y"),
)


def chart_faults(chart: Chart, dataset: Dataset) -> Iterator[Fault]:
    """Every name in its params, and the SQL of what it makes up itself."""
    yield from _Asked(chart, dataset).faults()


def takes_time(chart: Chart) -> bool:
    """Whether a filter of time reaches all that it asks for.

    Superset writes the period into filters with TEMPORAL_RANGE and limits granularity_sqla; an axis
    of time alone it does not limit.
    """
    params = chart.params
    if params.get("granularity_sqla"):
        return True
    queries = ("", "_b") if "metrics_b" in params else ("",)
    return all(
        any(value.get("operator") == "TEMPORAL_RANGE" for value in _each(params.get(key)))
        for key in (f"adhoc_filters{suffix}" for suffix in queries)
    )


class _Asked:
    """One chart and the names that its dataset has."""

    def __init__(self, chart: Chart, dataset: Dataset) -> None:
        self._chart, self._dataset = chart, dataset
        self._columns = {column.name for column in dataset.columns}
        self._returned = {column.name for column in dataset.columns if not column.expression}
        self._metrics = {metric.name for metric in dataset.metrics}
        self._labels: set[str] = set()

    def faults(self) -> Iterator[Fault]:
        for suffix in ("", "_b"):
            for key in _COLUMNS:
                for value in _each(self._chart.params.get(key + suffix)):
                    yield from self._column(key + suffix, value)
            for key in _METRICS:
                for value in _each(self._chart.params.get(key + suffix)):
                    yield from self._metric(key + suffix, value)
            for number, value in enumerate(_each(self._chart.params.get(f"adhoc_filters{suffix}"))):
                yield from self._filter(f"adhoc_filters{suffix}[{number}]", value)
        for key, name in self._shown():
            if name not in self._columns | self._metrics | self._labels:
                yield self._lacks(key, "column or metric", name)

    def _shown(self) -> Iterator[tuple[str, str]]:
        """What is sorted by or painted: a column, a metric, or the label of one made up here."""
        params = self._chart.params
        for name in params.get("column_config") or {}:
            yield "column_config", name
        for entry in _each(params.get("conditional_formatting")):
            yield "conditional_formatting", str(entry.get("column"))
        for entry in _each(params.get("order_by_cols")):
            yield "order_by_cols", _sorted_by(entry)
        if params.get("x_axis_sort"):
            yield "x_axis_sort", str(params["x_axis_sort"])

    def _column(self, key: str, value: Any) -> Iterator[Fault]:
        if isinstance(value, Mapping):
            yield from self._made_up(key, value)
        elif isinstance(value, str) and value not in self._columns:
            yield self._lacks(key, "column", value)

    def _metric(self, key: str, value: Any) -> Iterator[Fault]:
        if isinstance(value, Mapping):
            yield from self._made_up(key, value)
        elif isinstance(value, str) and value not in self._metrics:
            yield self._lacks(key, "metric", value)

    def _made_up(self, key: str, value: Mapping[str, Any]) -> Iterator[Fault]:
        """A metric or column that only this chart has: SQL, or an aggregate of a column."""
        self._labels.add(str(value.get("label")))
        if value.get("expressionType") == "SIMPLE":
            name = str((value.get("column") or {}).get("column_name"))
            yield from self._column(f"{key} ({value.get('label')})", name)
        else:
            yield from self._sql(f"{key} ({value.get('label')})", value.get("sqlExpression"))

    def _filter(self, key: str, value: Any) -> Iterator[Fault]:
        if value.get("expressionType") == "SQL":
            yield from self._sql(key, value.get("sqlExpression"))
        elif isinstance(value.get("subject"), Mapping):
            yield from self._made_up(key, value["subject"])
        elif value.get("clause") == "HAVING":
            yield from self._metric(key, str(value.get("subject")))
        else:
            yield from self._column(key, str(value.get("subject")))

    def _sql(self, what: str, expression: Any) -> Iterator[Fault]:
        # only the names of saved metrics and columns are replaced, never what stands in SQL
        yield from expression_faults(
            self._chart.file, f"params.{what}", str(expression or ""), self._returned
        )

    def _lacks(self, key: str, kind: str, name: str) -> Fault:
        return Fault(
            self._chart.file,
            f"params.{key} names the {kind} {name}, which {self._dataset.file} lacks",
            f"name another one, or add the {kind} there",
        )


def _each(value: Any) -> list[Any]:
    """One name or several; true and false are switches that share a key with names."""
    if value is None or isinstance(value, bool):
        return []
    return value if isinstance(value, list) else [value]


def _sorted_by(entry: Any) -> str:
    """Superset keeps each as JSON in a string: '["score", false]'."""
    try:
        pair = json.loads(entry) if isinstance(entry, str) else entry
        return str(pair[0])
    except (ValueError, IndexError, TypeError, KeyError):
        return str(entry)
