"""Superset as a part of the stack: secrets, restarts, fresh data, what it takes in and refuses."""

import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import requests
import yaml

from orchestration.local import dashboards
from tests.dashboards.looking import Visitor
from tests.dashboards.served import Served, assert_all_is_shown
from tests.local.stack import eventually

pytestmark = pytest.mark.slow


def test_superset_listens_to_this_machine_alone_and_its_database_asks_for_the_password(
    served: Served,
) -> None:
    assert served.address.startswith("http://127.0.0.1:")
    stack = served.stack.state.read_env()
    place = f"host=127.0.0.1 port={stack['POSTGRES_PORT']} dbname=superset user=superset"
    done = subprocess.run(
        [sys.executable, "-c", "import psycopg, sys; psycopg.connect(sys.argv[1])", place],
        capture_output=True,
        text=True,
    )
    assert "password" in done.stderr


def test_after_a_refresh_of_the_marts_the_charts_show_fresh_data(
    manager: Visitor, served: Served
) -> None:
    manager.open("evidence-and-audit")
    before = manager.number("Findings")
    served.stack.publish_records(
        "later",
        {
            "text": "Siemens recalls 500 valves in Chile after a fire.",
            "supplier_hints": [{"supplier": "siemens", "country": "CL"}],
        },
    )

    def shown() -> bool:
        manager.open("evidence-and-audit")
        found = served.count("select count(*) from marts.risk_evidence")
        return found != before and manager.number("Findings") == found

    eventually("fresh numbers in the dashboard", shown, 180)


def test_again_nothing_changes(served: Served) -> None:
    pid = served.stack.pid(dashboards.NAME)
    done = served.stack.run("local", "dashboards")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing of superset/ changed" in done.stdout
    assert served.password("manager") in done.stdout.replace("\n", "")
    assert served.stack.pid(dashboards.NAME) == pid


def test_superset_comes_back_after_it_was_killed_and_nothing_else_is_restarted(
    served: Served,
) -> None:
    others = {part.name: part.stop.pid for part in served.stack.running().parts}
    killed = others.pop(dashboards.NAME)
    workers = psutil.Process(killed).children()
    psutil.Process(killed).kill()
    _, left = psutil.wait_procs(workers, timeout=60)  # until then they hold the port, and answer
    assert not left
    port = int(served.address.rpartition(":")[2])
    eventually(
        "Superset answers again",
        lambda: served.stack.pid(dashboards.NAME) != killed and dashboards.is_ready(port),
    )
    after = {part.name: part.stop.pid for part in served.stack.running().parts}
    assert {name: after[name] for name in others} == others


@pytest.mark.parametrize("name", ["SUPERSET_SECRET_KEY", "POSTGRES_BI_READER_PASSWORD"])
def test_superset_does_not_start_without_a_secret_and_names_it(served: Served, name: str) -> None:
    env = dashboards.environment(served.stack.state)
    del env[name]
    done = subprocess.run(
        [dashboards.ENVIRONMENT / "bin" / "python", "superset_config.py"],
        cwd=dashboards.SOURCE,
        env={"PATH": "/usr/bin:/bin", **env},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"{name} is not set" in done.stderr


def test_no_secret_is_in_a_log_or_a_table_of_superset(served: Served) -> None:
    values = [
        value for name, value in served.secrets.items() if "PASSWORD" in name or "KEY" in name
    ]
    values.append(served.stack.state.read_env()["POSTGRES_BI_READER_PASSWORD"])
    for log in served.stack.state.logs.glob("superset*.log"):
        text = log.read_text(errors="replace")
        assert not [value for value in values if value in text], log
    request = served.visitor("admin").page.request
    [database] = request.get("/api/v1/database/").json()["result"]
    told = request.get(f"/api/v1/database/{database['id']}/connection").text()
    assert not [value for value in values if value in told]


def test_a_broken_bundle_does_not_pass_for_a_good_one(served: Served, tmp_path: Path) -> None:
    """Superset imports a column that does not exist; only looking finds it."""
    broken = tmp_path / "superset"
    shutil.copytree(dashboards.SOURCE, broken)
    chart = broken / "bundle" / "charts" / "riskiest.yaml"
    chart.write_text(chart.read_text().replace("- band\n", "- colour\n", 1))
    provision(served, broken)
    try:
        with pytest.raises(AssertionError, match="colour"):
            assert_all_is_shown(served.visitor("manager"), "overview")
    finally:
        provision(served, dashboards.SOURCE)


def provision(served: Served, source: Path, **more: str) -> None:
    done = subprocess.run(
        [dashboards.ENVIRONMENT / "bin" / "python", source / "provision.py"],
        env={"PATH": "/usr/bin:/bin", **dashboards.environment(served.stack.state), **more},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_buyer_who_left_the_list_cannot_log_in_any_more(served: Served, tmp_path: Path) -> None:
    changed = tmp_path / "superset"
    shutil.copytree(dashboards.SOURCE, changed)
    access = yaml.safe_load((changed / "access.yaml").read_text())
    access["buyers"] = {"analyst2": ["chemicals"]}
    (changed / "access.yaml").write_text(yaml.safe_dump(access))
    login = {"username": "buyer", "password": served.password("buyer"), "provider": "db"}
    address = f"{served.address}/api/v1/security/login"
    try:
        provision(served, changed, SUPERSET_PASSWORD_ANALYST2="a-password-for-this-test")
        assert requests.post(address, json=login, timeout=30).status_code == 401
    finally:
        provision(served, dashboards.SOURCE)
    assert requests.post(address, json=login, timeout=30).status_code == 200


def test_after_a_refused_bundle_buyers_see_nothing_until_it_is_mended(
    served: Served, tmp_path: Path
) -> None:
    """Its datasets may be in already, without the rules of their rows."""
    broken = tmp_path / "superset"
    shutil.copytree(dashboards.SOURCE, broken)
    chart = broken / "bundle" / "charts" / "riskiest.yaml"
    chart.write_text(chart.read_text().replace("slice_name:", "title:", 1))
    buyer = served.visitor("buyer").page.request
    overview = "/api/v1/dashboard/overview"
    try:
        with pytest.raises(AssertionError, match=r"refuses the bundle.*slice_name"):
            provision(served, broken)
        assert buyer.get(overview).status in {403, 404}
        assert buyer.get("/api/v1/dashboard/").json()["count"] == 0
        assert_all_is_shown(served.visitor("manager"), "overview")
    finally:
        provision(served, dashboards.SOURCE)
    assert buyer.get(overview).status == 200


def test_with_a_category_that_is_no_name_nothing_is_changed(served: Served, tmp_path: Path) -> None:
    changed = tmp_path / "superset"
    shutil.copytree(dashboards.SOURCE, changed)
    access = yaml.safe_load((changed / "access.yaml").read_text())
    access["buyers"] = {"buyer": ["electronics", 2024]}
    (changed / "access.yaml").write_text(yaml.safe_dump(access))
    board = changed / "bundle" / "dashboards" / "overview.yaml"
    board.write_text(
        board.read_text().replace("dashboard_title: Overview", "dashboard_title: Changed", 1)
    )
    buyer = served.visitor("buyer").page.request
    before = buyer.get("/api/v1/dashboard/overview").json()["result"]
    try:
        with pytest.raises(AssertionError, match="2024 of buyer is no name of a category"):
            provision(served, changed)
        after = buyer.get("/api/v1/dashboard/overview").json()["result"]
        assert after["changed_on"] == before["changed_on"]
        assert after["dashboard_title"] == "Overview"
    finally:
        provision(served, dashboards.SOURCE)
