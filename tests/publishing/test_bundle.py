"""The files of the dashboards: read as they are, and what cannot be read is named."""

from pathlib import Path

import pytest

from orchestration.errors import BundleError
from orchestration.publishing.bundle import dashboards_of_buyers, read
from tests.publishing.bundles import Files


def test_a_bundle_is_read_with_its_datasets_charts_dashboards_and_filters(files: Files) -> None:
    bundle = files.read()
    assert [database.name for database in bundle.databases] == ["Warehouse"]
    calls, scores = bundle.datasets
    assert calls.sql is None
    assert scores.sql is not None
    assert scores.main_dttm_col == "day"
    assert (scores.columns[-1].name, scores.columns[-1].type) == ("place", "TEXT")
    assert [metric.name for metric in scores.metrics] == ["worst", "recent"]
    assert [chart.viz_type for chart in bundle.charts][1:] == [
        "big_number_total",
        "big_number_total",
        "table",
    ]
    operations, overview = bundle.dashboards
    assert overview.charts == (bundle.charts[3].uuid, bundle.charts[0].uuid)
    assert [native.targets for native in overview.filters] == [((scores.uuid, "country_name"),), ()]
    assert [native.excluded for native in operations.filters] == [{bundle.charts[2].uuid}]
    assert bundle.datasets_of(overview) == [scores]


def test_a_folder_that_does_not_exist_holds_nothing(tmp_path: Path) -> None:
    bundle = read(tmp_path / "missing")
    assert not bundle.datasets
    assert not bundle.dashboards


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("charts/table.yaml", "params:", "params: [", "charts/table.yaml cannot be read as YAML"),
        ("charts/table.yaml", "viz_type: ", "viz: ", "charts/table.yaml: viz_type is missing"),
        ("charts/calls.yaml", "params: {metric: all_calls, adhoc_filters: []}", "params: '{}'",
         "charts/calls.yaml: params must be a dict, not a str"),
        ("datasets/marts/calls.yaml", "column_name: ids", "name: ids",
         r"datasets/marts/calls.yaml: columns\[2\].column_name is missing"),
        ("datasets/marts/calls.yaml", "{metric_name: all_calls, expression: sum(calls)}", "worst",
         r"datasets/marts/calls.yaml: metrics\[0\] must be a mapping"),
        ("dashboards/llm_operations.yaml", "{uuid: 00000000-0000-4000-8000-000000000023", "{id: x",
         "dashboards/llm_operations.yaml: position.CHART-calls.meta.uuid is missing"),
        ("dashboards/overview.yaml", "datasetUuid: ", "datasetId: ",
         r"metadata.native_filter_configuration\[0\].targets\[0\].datasetUuid is missing"),
    ],
)  # fmt: skip
def test_an_error_names_file_and_key(
    files: Files, file: str, old: str, new: str, words: str
) -> None:
    files.change(file, old, new)
    with pytest.raises(BundleError, match=words):
        files.read()


@pytest.mark.parametrize(
    ("folder", "first", "second", "key"),
    [
        ("datasets/marts", "calls", "scores", "table_name"),
        ("dashboards", "llm_operations", "overview", "slug"),
    ],
)
def test_two_files_that_would_be_one_asset_are_named(
    files: Files, folder: str, first: str, second: str, key: str
) -> None:
    for name in (first, second):
        file = f"{folder}/{name}.yaml"
        files.change(file, f"{key}: {name.replace('_', '-')}\n", f"{key}: same\n")
    words = (
        f"{folder}/{first}.yaml and {folder}/{second}.yaml have the same {key}, same, .* "
        f"What to do: give one of them another {key}"
    )
    with pytest.raises(BundleError, match=words):
        files.read()


def test_a_file_that_is_no_mapping_is_named(files: Files) -> None:
    (files.bundle / "charts" / "table.yaml").write_text("- one\n")
    with pytest.raises(BundleError, match=r"charts/table.yaml must be a mapping"):
        files.read()


def test_whose_dashboards_buyers_see_must_be_said(files: Files) -> None:
    assert dashboards_of_buyers(files.access) == ["overview"]
    files.access.write_text("buyers: {}")
    with pytest.raises(BundleError, match=r"access.yaml: dashboards_of_buyers is missing"):
        dashboards_of_buyers(files.access)
    files.access.unlink()
    with pytest.raises(BundleError, match=r"access.yaml cannot be read"):
        dashboards_of_buyers(files.access)
