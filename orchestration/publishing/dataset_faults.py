"""Whether a dataset is what the contracts of the marts say, and its expressions can be asked."""

from collections.abc import Collection, Iterator, Mapping

from sqlglot.errors import SqlglotError

from orchestration.publishing.bundle import Column, Dataset
from orchestration.publishing.dataset_sql import (
    Contract,
    agree,
    columns_returned,
    named_by,
    tables_read,
)
from orchestration.publishing.fault import Fault

_CATEGORY = "supplier_category"


def dataset_faults(dataset: Dataset, marts: Mapping[str, Contract]) -> Iterator[Fault]:
    """Its tables, columns, types and expressions, against the contracts by name of the mart."""
    try:
        unknown = tables_read(dataset) - marts.keys()
        returned = {} if unknown else columns_returned(dataset, marts)
    except SqlglotError as error:
        yield Fault(dataset.file, f"its SQL cannot be read: {told(error)}", "mend the key sql")
        return
    if unknown:
        yield Fault(
            dataset.file,
            f"it reads {', '.join(sorted(unknown))}, no mart of dbt",
            "read models of the schema marts, with the schema before the name",
        )
        return
    yield from _columns(dataset, returned)
    yield from _expressions(dataset, returned.keys())


def category_faults(dataset: Dataset, dashboard: str) -> Iterator[Fault]:
    """A buyer sees the rows of their own categories: each dataset must say whose a row is."""
    if _CATEGORY not in {column.name for column in dataset.columns if not column.expression}:
        yield Fault(
            dataset.file,
            f"it has no column {_CATEGORY}, and buyers see it in the dashboard {dashboard}",
            f"let it return {_CATEGORY}, or show it in another dashboard",
        )


def expression_faults(
    file: str, what: str, expression: str, known: Collection[str]
) -> Iterator[Fault]:
    """Of SQL that Superset puts into its query, where only the columns in `known` have a name."""
    try:
        named = named_by(expression)
    except SqlglotError as error:
        yield Fault(file, f"{what} is no expression: {told(error)}", "mend its SQL")
        return
    for column in sorted(named.columns - set(known)):
        yield Fault(
            file,
            f"{what} names the column {column}, which the dataset's query does not return",
            "name another one, or let the query return it",
        )
    if named.has_subquery:
        yield Fault(file, f"{what} holds a query, which Superset refuses", "move it into a mart")


def told(error: SqlglotError) -> str:
    """The first line, without the colours and the SQL below it."""
    return str(error).splitlines()[0].rstrip(".")


def _columns(dataset: Dataset, returned: Mapping[str, str | None]) -> Iterator[Fault]:
    plain = {column.name: column for column in dataset.columns if not column.expression}
    for name in sorted(returned.keys() - plain.keys()):
        fix = "add it to columns, or take it out of the query"
        yield Fault(dataset.file, f"the column {name} is returned and not listed", fix)
    for name, column in plain.items():
        if name not in returned:
            what = f"the column {name} is listed, and neither a mart nor the query returns it"
            yield Fault(dataset.file, what, "remove it, or give it its new name everywhere")
        else:
            yield from _type(dataset, column, returned[name])
    names = [column.name for column in dataset.columns]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Fault(dataset.file, f"the column {name} is listed twice", "remove one of them")
    if dataset.main_dttm_col and dataset.main_dttm_col not in names:
        what = f"main_dttm_col names {dataset.main_dttm_col}, which is no column"
        yield Fault(dataset.file, what, "name a column of time, or null")


def _type(dataset: Dataset, column: Column, wanted: str | None) -> Iterator[Fault]:
    if column.type is None:
        yield Fault(dataset.file, f"the column {column.name} has no type", "add its type")
        return
    try:
        fits = wanted is None or agree(column.type, wanted)
    except SqlglotError:
        what = f"the column {column.name} has the type {column.type}, which PostgreSQL lacks"
        yield Fault(dataset.file, what, f"make it {(wanted or 'one of PostgreSQL').upper()}")
        return
    if not fits:
        what = f"the column {column.name} has the type {column.type}, and is {str(wanted).upper()}"
        yield Fault(dataset.file, what, "take over the type of the contract")


def _expressions(dataset: Dataset, known: Collection[str]) -> Iterator[Fault]:
    for column in dataset.columns:
        if column.expression:
            what = f"the calculated column {column.name}"
            yield from expression_faults(dataset.file, what, column.expression, known)
    for metric in dataset.metrics:
        what = f"the metric {metric.name}"
        yield from expression_faults(dataset.file, what, metric.expression, known)
