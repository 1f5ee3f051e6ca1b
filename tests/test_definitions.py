"""What Dagster knows: the names that others rely on, and a lineage without a gap."""

import subprocess
import sys

import dagster as dg
import pytest

from orchestration import job_names
from orchestration.definitions import build_definitions, defs
from orchestration.partitions import SUPPLIER_COUNTRY, parse_partition_key, partition_key

GRAPH = defs.resolve_asset_graph()
MARTS = {
    "supplier_risk_current",
    "country_risk_current",
    "risk_events",
    "risk_evidence",
    "keyword_trends",
    "llm_usage_daily",
    "supplier_briefs",
    "pipeline_reconciliation",
    "dead_letters_current",
}


def names(keys: set[dg.AssetKey]) -> set[str]:
    return {key.to_user_string() for key in keys}


def test_only_what_ingestion_lands_comes_from_outside() -> None:
    assert names(set(GRAPH.external_asset_keys)) == {
        "supplier_news_topic",
        "documents",
        "suppliers",
        "dead_letters",
    }


def test_every_mart_descends_from_the_topic() -> None:
    descendants: set[dg.AssetKey] = set()
    front = {dg.AssetKey("supplier_news_topic")}
    while front:
        descendants |= front
        front = {child for key in front for child in GRAPH.get(key).child_keys} - descendants
    assert names(descendants) >= MARTS | {"documents", "supplier_mentions", "risk_findings"}


def test_jobs_sensors_and_schedules_have_the_names_that_others_ask_for() -> None:
    repository = defs.get_repository_def()
    jobs = {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")}
    assert jobs == set(job_names.ALL)
    sensors = {sensor.name: sensor for sensor in repository.sensor_defs}
    assert set(sensors) == {
        "supplier_news_sensor",
        "supplier_master_sensor",
        "dead_letter_sensor",
        "replay_sensor",
        "history_sensor",
        "marts_refresh_sensor",
        "dashboards_sensor",
        "alerts_sensor",
    }
    for sensor in sensors.values():
        assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert {schedule.name: schedule.job_name for schedule in repository.schedule_defs} == {
        "feeds_schedule": job_names.POLL_FEEDS,
        "purge_schedule": job_names.PURGE_BODIES,
        "daily_digest_schedule": job_names.SEND_DAILY_DIGEST,
    }
    for schedule in repository.schedule_defs:
        assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING


def test_findings_and_briefs_are_partitioned_by_observed_pairs_and_mentions_are_not() -> None:
    for name in ("risk_findings", "risk_briefs"):
        assert GRAPH.get(dg.AssetKey(name)).partitions_def == SUPPLIER_COUNTRY
    assert GRAPH.get(dg.AssetKey("supplier_mentions")).partitions_def is None


def test_the_reconciliation_check_blocks_and_dbt_tests_are_checks() -> None:
    checks = {(k.asset_key.to_user_string(), k.name): k for k in GRAPH.asset_check_keys}
    assert GRAPH.get(checks["risk_findings", "reconciliation"]).blocking
    assert any(asset == "pipeline_reconciliation" for asset, _ in checks)
    assert any(asset == "supplier_risk_current" for asset, _ in checks)


def test_definitions_can_be_built_again_and_loaded() -> None:
    dg.Definitions.validate_loadable(build_definitions())


def test_importing_the_code_location_reads_no_setting_and_touches_no_service() -> None:
    """A fresh interpreter without any setting can import it."""
    done = subprocess.run(
        [sys.executable, "-c", "import orchestration.definitions"],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("key", ["siemens@DE", "3m@US", "a" * 63 + "@CN"])
def test_a_partition_key_is_made_of_supplier_and_country(key: str) -> None:
    assert partition_key(*parse_partition_key(key)) == key


@pytest.mark.parametrize(
    "key",
    ["", "siemens", "@DE", "Siemens@DE", "-a@DE", "a@de", "a@DEU", "a b@DE", "a" * 64 + "@DE"],
)
def test_a_key_outside_the_grammar_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="supplier@COUNTRY"):
        parse_partition_key(key)
