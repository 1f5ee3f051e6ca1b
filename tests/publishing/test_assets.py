"""The dashboards in Dagster: lineage, checks, and Superset that is told of each refresh once."""

import shutil
from collections.abc import Iterator

import dagster as dg
import pytest

from orchestration.definitions import defs
from orchestration.job_names import REFRESH_DASHBOARDS, REFRESH_MARTS
from orchestration.publishing import assets
from orchestration.publishing.assets import FITS, dashboards_of, sensor_of
from orchestration.resources.dagster import SupersetDoor
from tests.publishing.bundles import Files
from tests.publishing.superset_receiver import SupersetReceiver

SCORES = dg.AssetKey(["superset", "dataset", "scores"])
CALLS = dg.AssetKey(["superset", "dataset", "calls"])
OVERVIEW = dg.AssetKey(["superset", "dashboard", "overview"])
OPERATIONS = dg.AssetKey(["superset", "dashboard", "llm-operations"])
RESOURCES = {"superset": SupersetDoor()}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(autouse=True)
def its_manifest(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "MANIFEST", files.manifest)


def run(
    files: Files, instance: dg.DagsterInstance, selection: list[dg.AssetKey] | None = None
) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [dashboards_of(files.read(), files.access)],
        instance=instance,
        resources=RESOURCES,
        selection=selection,
        raise_on_error=False,
    )


def tick(files: Files, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    context = dg.build_sensor_context(instance=instance, cursor=cursor, resources=RESOURCES)
    result = sensor_of(files.read())(context)
    assert isinstance(result, dg.SensorResult)
    return result


def refreshed(instance: dg.DagsterInstance, *marts: str) -> None:
    for mart in marts:
        instance.report_runless_asset_event(dg.AssetMaterialization(dg.AssetKey(mart)))


def checks(result: dg.ExecuteInProcessResult) -> dict[dg.AssetKey, dg.AssetCheckEvaluation]:
    evaluations = result.get_asset_check_evaluations()
    assert {evaluation.check_name for evaluation in evaluations} <= {FITS}
    return {evaluation.asset_key: evaluation for evaluation in evaluations}


def test_a_dashboard_descends_from_the_marts_by_its_datasets(files: Files) -> None:
    graph = dg.Definitions(
        assets=[dashboards_of(files.read(), files.access)], resources=RESOURCES
    ).resolve_asset_graph()
    assert graph.get(OVERVIEW).parent_keys == {SCORES}
    assert graph.get(SCORES).parent_keys == {
        dg.AssetKey("scores"),
        dg.AssetKey("country_names"),
    }
    assert graph.get(CALLS).parent_keys == {dg.AssetKey("calls")}
    assert {key.asset_key for key in graph.asset_check_keys} == {
        *(SCORES, CALLS, OVERVIEW, OPERATIONS)
    }


def test_every_dataset_of_this_repository_descends_from_models_of_dbt() -> None:
    graph = defs.resolve_asset_graph()
    marts = {
        parent for key in assets.dashboards.keys for parent in graph.get(key).parent_keys
    } - assets.dashboards.keys
    assert marts
    assert {graph.get(mart).group_name for mart in marts} == {"marts"}


def test_a_run_lets_superset_drop_what_it_has_and_says_where_the_dashboards_are(
    files: Files, superset: SupersetReceiver, instance: dg.DagsterInstance
) -> None:
    result = run(files, instance)
    assert result.success
    assert superset.tables() == [["calls", "scores"]]
    assert all(check.passed for check in checks(result).values())
    assert len(checks(result)) == 4
    (told,) = result.asset_materializations_for_node("dashboards")[-1:]
    assert told.asset_key == OVERVIEW
    assert told.metadata["url"].value == f"{superset.url}/superset/dashboard/overview/"


def test_a_dashboard_that_is_run_alone_is_told_of_its_own_datasets(
    files: Files, superset: SupersetReceiver, instance: dg.DagsterInstance
) -> None:
    result = run(files, instance, [OVERVIEW])
    assert superset.tables() == [["scores"]]
    assert checks(result).keys() == {OVERVIEW}


def test_without_superset_the_checks_are_evaluated_and_the_run_says_so(
    files: Files, instance: dg.DagsterInstance
) -> None:
    result = run(files, instance)
    assert result.success
    assert len(checks(result)) == 4
    for told in result.asset_materializations_for_node("dashboards"):
        assert "SUPERSET_URL is not set" in str(told.metadata["superset"].value)
        assert "url" not in told.metadata


def test_a_fault_of_a_chart_is_one_of_its_dashboard(
    files: Files, instance: dg.DagsterInstance
) -> None:
    files.change("charts/table.yaml", "[place,", "[places,")
    result = run(files, instance)
    assert result.success
    failed = {key: check for key, check in checks(result).items() if not check.passed}
    assert failed.keys() == {OVERVIEW}
    assert "params.all_columns names the column places" in str(failed[OVERVIEW].description)


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("../access.yaml", "[overview]", "[start]", "the slug start, which buyers are to see"),
        ("dashboards/overview.yaml", "000000000022", "000000000021", "stands in no dashboard"),
        ("databases/warehouse.yaml", "000000000001", "000000000031", "is that of another file"),
    ],
)
def test_a_fault_that_is_nobodys_own_is_one_of_every_dashboard(
    files: Files, instance: dg.DagsterInstance, file: str, old: str, new: str, words: str
) -> None:
    files.change(file, old, new)
    told = checks(run(files, instance))
    assert words in str(told[OVERVIEW].description)
    assert words in str(told[OPERATIONS].description)


def test_where_there_is_no_dashboard_the_datasets_have_the_faults_that_are_nobodys_own(
    files: Files, instance: dg.DagsterInstance
) -> None:
    shutil.rmtree(files.bundle / "dashboards")
    told = checks(run(files, instance))
    assert told.keys() == {SCORES, CALLS}
    for check in told.values():
        assert "no dashboard has the slug of the exposure overview" in str(check.description)


def test_a_run_fails_with_a_sentence_where_superset_refuses(
    files: Files, superset: SupersetReceiver, instance: dg.DagsterInstance
) -> None:
    superset.statuses["/api/v1/cachekey/invalidate"] = 403
    result = run(files, instance)
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "can_invalidate on CacheRestApi" in str(failure.step_failure_data.error)
    assert not result.asset_materializations_for_node("dashboards")


def test_a_refresh_requests_one_run_and_nothing_new_requests_none(
    files: Files, superset: SupersetReceiver, instance: dg.DagsterInstance
) -> None:
    assert tick(files, instance).skip_reason is not None
    refreshed(instance, "scores", "calls", "country_names")
    first = tick(files, instance)
    assert len(first.run_requests or []) == 1
    later = tick(files, instance, first.cursor)
    assert not later.run_requests
    refreshed(instance, "calls")
    second = tick(files, instance, first.cursor)
    assert [request.run_key for request in second.run_requests or []] == [second.cursor]
    assert second.cursor != first.cursor


def test_a_mart_that_no_dataset_reads_requests_no_run(
    files: Files, superset: SupersetReceiver, instance: dg.DagsterInstance
) -> None:
    refreshed(instance, "another")
    assert not tick(files, instance).run_requests


def test_a_refresh_that_is_under_way_is_waited_for(
    files: Files, superset: SupersetReceiver, instance: dg.DagsterInstance
) -> None:
    job = defs.resolve_job_def(REFRESH_MARTS)
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    refreshed(instance, "scores")
    during = tick(files, instance)
    assert not during.run_requests
    assert during.cursor is None
    instance.report_run_canceled(run)
    assert len(tick(files, instance).run_requests or []) == 1


def test_without_superset_no_run_is_wasted(files: Files, instance: dg.DagsterInstance) -> None:
    refreshed(instance, "scores")
    result = tick(files, instance)
    assert not result.run_requests
    assert "SUPERSET_URL is not set" in str(result.skip_reason)


def test_while_superset_is_away_the_sensor_waits_for_it(
    files: Files, superset: SupersetReceiver, instance: dg.DagsterInstance
) -> None:
    refreshed(instance, "scores")
    superset.statuses["/health"] = 503
    away = tick(files, instance)
    assert "does not answer" in str(away.skip_reason)
    superset.statuses.clear()
    assert len(tick(files, instance, away.cursor).run_requests or []) == 1


def test_the_job_runs_the_dashboards_and_nothing_else() -> None:
    selected = defs.resolve_job_def(REFRESH_DASHBOARDS).asset_layer.selected_asset_keys
    assert selected == assets.dashboards.keys
