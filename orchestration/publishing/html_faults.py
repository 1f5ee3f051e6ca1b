"""Whether tables that may show HTML show text of strangers as it is.

There is no list of such text: what one dataset escapes is text of strangers wherever it stands. So
a new column of theirs is noticed once one dataset escapes it.
"""

from collections.abc import Iterator

from sqlglot.errors import SqlglotError

from orchestration.publishing.bundle import Bundle, Chart, Dataset
from orchestration.publishing.dataset_sql import bare, escaped
from orchestration.publishing.fault import Fault


def html_faults(bundle: Bundle) -> Iterator[Fault]:
    """Of all its tables; what a metric or a column made up in a chart returns is not looked at."""
    readable = {dataset.uuid: dataset for dataset in bundle.datasets if _is_readable(dataset)}
    of_strangers = {column for dataset in readable.values() for column in escaped(dataset)}
    made_of = {uuid: bare(dataset) for uuid, dataset in readable.items()}
    for chart in bundle.charts:
        if _may_show_html(chart):
            for name in _shown(chart):
                found = made_of.get(chart.dataset_uuid, {}).get(name, frozenset()) & of_strangers
                if found:
                    yield _fault(chart, name, sorted(found))


def _is_readable(dataset: Dataset) -> bool:
    """SQL that cannot be read is a fault of its own."""
    try:
        bare(dataset)
    except SqlglotError:
        return False
    return True


def _may_show_html(chart: Chart) -> bool:
    """A table does so unless it is told not to."""
    return bool(chart.params.get("allow_render_html", chart.viz_type == "table"))


def _shown(chart: Chart) -> list[str]:
    keys = ("all_columns", "groupby")
    return [name for key in keys for name in chart.params.get(key) or [] if isinstance(name, str)]


def _fault(chart: Chart, name: str, found: list[str]) -> Fault:
    what = f"it shows {', '.join(found)} as HTML, in the column {name}"
    fix = "show a column that marts.as_html(...) makes of it, or set allow_render_html to false"
    return Fault(chart.file, f"{what}, and that is text of strangers", fix)
