"""What the dashboards promise of time and clicks, which neither Superset nor the check looks at."""

import pytest
import yaml

from orchestration.publishing.bundle import FOLDER, Chart, read


def times(chart: Chart) -> list[str]:
    """The columns by which a filter of time filters it."""
    filters = chart.params["adhoc_filters"]
    return [one["subject"] for one in filters if one.get("operator") == "TEMPORAL_RANGE"]


def test_a_chart_over_time_is_filtered_by_the_time_that_it_shows() -> None:
    other = {
        chart.file: times(chart)
        for chart in read().charts
        if "time_grain_sqla" in chart.params and times(chart) != [chart.params["x_axis"]]
    }
    assert not other


@pytest.mark.parametrize("slug", ["supplier", "country"])
def test_a_click_on_a_dimension_is_for_the_charts_that_the_filter_of_dimensions_is_for(
    slug: str,
) -> None:
    """The others show the overall risk: by a dimension they would be empty."""
    charts = {chart.uuid: chart for chart in read().charts}
    file = yaml.safe_load((FOLDER / "dashboards" / f"{slug}.yaml").read_text())
    clicks = file["metadata"]["chart_configuration"]
    [native] = [
        one for one in file["metadata"]["native_filter_configuration"] if one["name"] == "Dimension"
    ]
    for place in file["position"].values():
        if not isinstance(place, dict) or place["type"] != "CHART":
            continue
        number, chart = place["meta"]["chartId"], charts[place["meta"]["uuid"]]
        if emits_dimension(chart):
            scope = clicks[str(number)]["crossFilters"]["scope"]
            assert set(scope["excluded"]) == {number, *native["scope"]["excluded"]}, chart.file


def emits_dimension(chart: Chart) -> bool:
    """A click on a heatmap filters nothing in Superset, nor does one on bars behind a pane."""
    if chart.viz_type == "heatmap_v2" or "echart_options" in chart.params:
        return False
    keys = ("all_columns", "groupby", "x_axis")
    return any("risk_dimension" in str(chart.params.get(key)) for key in keys)
