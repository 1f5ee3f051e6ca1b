"""Whether the dashboards fit the marts: the real ones do, and each kind of fault is found."""

from collections.abc import Mapping

import pytest

from orchestration.publishing.bundle import FOLDER, dashboards_of_buyers, read
from orchestration.publishing.fit import faults
from orchestration.transformation.project import MANIFEST
from tests.publishing.bundles import EXPOSURES, MARTS, Files

SCORES = "datasets/marts/scores.yaml"
TABLE = "charts/table.yaml"
BARS = "charts/bars.yaml"
OPERATIONS = "dashboards/llm_operations.yaml"
OVERVIEW = "dashboards/overview.yaml"
NOBODY = "00000000-0000-4000-8000-000000000099"


def test_the_dashboards_of_this_repository_fit_the_marts() -> None:
    bundle = read()
    assert bundle.dashboards, f"there is no dashboard in {FOLDER}"
    found = [str(fault) for fault in faults(bundle, MANIFEST, dashboards_of_buyers())]
    assert not found, "\n".join(found)


def test_a_bundle_that_fits_has_no_fault(files: Files) -> None:
    assert files.faults() == []


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        # what a dataset reads and returns
        (SCORES, "from marts.scores", "from staging.scores", "it reads staging.scores, no mart"),
        (SCORES, "from marts.scores", "from scores", "it reads (no schema).scores, no mart"),
        (SCORES, "from marts.scores", "from marts.renamed", "it reads renamed, no mart"),
        (SCORES, "      scores.*,", "      scores.* from,", "its SQL cannot be read"),
        (SCORES, "scores.score / 100", "scores.points / 100", "its SQL cannot be read"),
        (SCORES, "column_name: share", "column_name: part", "the column share is returned and not"),
        (SCORES, "column_name: share", "column_name: part", "the column part is listed, and neith"),
        (SCORES, "column_name: share", "column_name: day", "the column day is listed twice"),
        (SCORES, "'NUMERIC(4, 1)'", "BIGINT", "score has the type BIGINT, and is NUMERIC(4,1)"),
        (SCORES, "'NUMERIC(4, 1)'", "'NUMERIC(4, 2)'", "type NUMERIC(4, 2), and is NUMERIC(4,1)"),
        (SCORES, "'NUMERIC(4, 1)'", "FOO BAR", "the type FOO BAR, which PostgreSQL lacks"),
        (SCORES, "'NUMERIC(4, 1)'", "null", "the column score has no type"),
        (SCORES, "TIMESTAMP WITH TIME ZONE", "TIMESTAMP", "and is TIMESTAMP WITH TIME ZONE"),
        (SCORES, "main_dttm_col: day", "main_dttm_col: days", "main_dttm_col names days"),
        (SCORES, "database_uuid: 00000000-0000-4000-8000-000000000001", f"database_uuid: {NOBODY}",
         f"database_uuid {NOBODY} is no database of the bundle"),
        # expressions
        (SCORES, "upper(country)", "upper(land)", "calculated column place names the column land"),
        (SCORES, "max(score)", "max(points)", "the metric worst names the column points"),
        (SCORES, "max(score)", "max(scores.score)", "names the column scores.score"),
        (SCORES, "max(score)", "max(length(place))", "the metric worst names the column place"),
        (SCORES, "max(score)", "max(score", "the metric worst is no expression"),
        (SCORES, "max(score)", "max(score); drop table x", "the metric worst is no expression"),
        (SCORES, "max(score)", "(select 1)", "the metric worst holds a query"),
        # what a chart names
        (TABLE, "[place,", "[places,", "params.all_columns names the column places"),
        (TABLE, '["score"', '["points"', "params.order_by_cols names the column or metric points"),
        (TABLE, "    score: {", "    points: {", "params.column_config names the column or metric"),
        (TABLE, "{column: score", "{column: points", "params.conditional_formatting names the col"),
        (TABLE, "subject: place", "subject: land", "params.adhoc_filters[0] names the column land"),
        (TABLE, "score is not null", "score is not", "params.adhoc_filters[1] is no expression"),
        (TABLE, "score is not null", "points > 1", "params.adhoc_filters[1] names the column poi"),
        (BARS, "x_axis: day", "x_axis: week", "params.x_axis names the column week"),
        (BARS, "x_axis_sort: mean", "x_axis_sort: median", "params.x_axis_sort names the column o"),
        (BARS, "- worst", "- best", "params.metrics names the metric best"),
        (BARS, "{column_name: score}", "{column_name: s}", "params.metrics (mean) names the col"),
        (BARS, "min(score)", "min(points)", "params.metrics (least) names the column points"),
        (BARS, "left(country_name", "left(nation", "params.groupby (letter) names the column n"),
        (BARS, "  - country_name", "  - nation", "params.groupby names the column nation"),
        (BARS, "metric: recent", "metric: late", "params.timeseries_limit_metric names the metric"),
        (BARS, "subject: recent", "subject: late", "params.adhoc_filters[0] names the metric late"),
        # what is text of strangers
        (TABLE, "title_shown", "title", "it shows title as HTML, in the column title"),
        (SCORES, "upper(country)", "title", "it shows title as HTML, in the column place"),
        (SCORES, "countries.country_name", "title || country_name as country_name",
         "it shows title as HTML, in the column country_name"),
        # what belongs together
        (TABLE, "dataset_uuid: 00000000-0000-4000-8000-000000000011", f"dataset_uuid: {NOBODY}",
         f"dataset_uuid {NOBODY} is no dataset of the bundle"),
        (OVERVIEW, "000000000022", "000000000099", f"the chart {NOBODY} in its position is none"),
        (OVERVIEW, "000000000022", "000000000021", "'The worst of each day' stands in no dashb"),
        (OVERVIEW, "000000000011", "000000000099", "the filter Country is of the column country_n"),
        (OVERVIEW, "{name: country_name}", "{name: nation}", "Country is of the column nation"),
        (OPERATIONS, "excluded: [4]", "excluded: []", "filter Step does nothing to 'Last score'"),
        (BARS, "operator: TEMPORAL_RANGE", "operator: ==",
         "Period does nothing to 'The worst of each day'. What to do: give it a filter with TEMPO"),
        (TABLE, "operator: TEMPORAL_RANGE", "operator: ==", "Period does nothing to 'Scores'"),
        (OVERVIEW, "000000000031", "000000000032", "uuid 00000000-0000-4000-8000-000000000032 is"),
        (OVERVIEW, "slug: overview", "slug: start", "no exposure of dbt is named start"),
        (OVERVIEW, "slug: overview", "slug: start", "no dashboard has the slug of the exposure ov"),
        (OVERVIEW, "slug: overview", "slug: start", "the slug overview, which buyers are to see"),
        # what buyers see
        (SCORES, "column_name: supplier_category", "column_name: category",
         "it has no column supplier_category, and buyers see it in the dashboard overview"),
    ],
)  # fmt: skip
def test_a_fault_is_found_and_says_where_and_what_to_do(
    files: Files, file: str, old: str, new: str, words: str
) -> None:
    files.change(file, old, new)
    found = files.faults()
    assert any(words in fault for fault in found), found
    assert all(". What to do: " in fault for fault in found)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (TABLE, "  all_columns:", "  allow_render_html: false\n  all_columns:"),
        (TABLE, "viz_type: table", "viz_type: echarts_timeseries_bar"),
        (SCORES, "scores.*,", "scores.*, marts.as_link(title, title) as title,"),
    ],
)
def test_text_of_strangers_may_be_shown_as_text_or_escaped(
    files: Files, file: str, old: str, new: str
) -> None:
    files.change(TABLE, "title_shown", "title")
    files.change(file, old, new)
    assert files.faults() == []


def test_what_one_dataset_escapes_no_other_shows_as_it_is(files: Files) -> None:
    escaped = "{column_name: shown, type: TEXT, expression: marts.as_html(country_name)}"
    files.change("datasets/marts/calls.yaml", "metrics:", f"- {escaped}\nmetrics:")
    assert any("it shows country_name as HTML" in fault for fault in files.faults())


@pytest.mark.parametrize(
    ("mart", "columns", "words"),
    [
        ("scores", {"extra": "text"}, f"{SCORES}: the column extra is returned and not listed"),
        ("calls", {"calls": "integer"}, "calls has the type BIGINT, and is INTEGER"),
        ("calls", {"ids": "text[]"}, "ids has the type BIGINT[], and is TEXT[]"),
    ],
)
def test_a_mart_that_changes_shows_in_every_dataset_that_reads_it(
    files: Files, mart: str, columns: Mapping[str, str], words: str
) -> None:
    files.write_manifest({**MARTS, mart: {**MARTS[mart], **columns}}, EXPOSURES)
    assert any(words in fault for fault in files.faults())


@pytest.mark.parametrize(
    ("depends_on", "words"),
    [
        (["scores"], "it shows country_names, and the exposure overview does not depend on that"),
        (["scores", "country_names", "calls"], "the exposure overview depends on calls, which it"),
    ],
)
def test_a_dashboard_shows_the_marts_of_its_exposure_and_no_other(
    files: Files, depends_on: list[str], words: str
) -> None:
    files.write_manifest(MARTS, EXPOSURES | {"overview": depends_on})
    (found,) = files.faults()
    assert words in found


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (OVERVIEW, "targets: [{}]", "targets: [{}], scope: {excluded: [2]}"),
        (BARS, "  x_axis: day", "  x_axis: day\n  granularity_sqla: day"),
    ],
)
def test_a_chart_without_temporal_range_is_excluded_or_has_a_column_of_time(
    files: Files, file: str, old: str, new: str
) -> None:
    files.change(BARS, "operator: TEMPORAL_RANGE", "operator: ==")
    files.change(file, old, new)
    assert files.faults() == []


def test_each_query_of_a_mixed_chart_must_take_a_filter_of_time(files: Files) -> None:
    files.change(BARS, "  x_axis: day", "  metrics_b: [worst]\n  x_axis: day")
    (found,) = files.faults()
    assert "the filter Period does nothing to 'The worst of each day'" in found


def test_a_type_without_precision_agrees_and_so_do_columns_that_only_postgresql_can_type(
    files: Files,
) -> None:
    files.change(SCORES, "'NUMERIC(4, 1)'", "NUMERIC")
    files.change(SCORES, "type: DOUBLE PRECISION", "type: NUMERIC")
    assert files.faults() == []


def test_a_column_is_followed_through_a_query_within_the_query(files: Files) -> None:
    whole = "- {column_name: whole, type: TEXT}"
    query = "from (select *, score::bigint as whole from marts.scores) as scores"
    files.change(SCORES, "from marts.scores as scores", query)
    files.change(SCORES, "- {column_name: share", f"{whole}\n- {{column_name: share")
    found = files.faults()
    assert any("the column whole has the type TEXT, and is BIGINT" in fault for fault in found)
    assert len(found) == 1
