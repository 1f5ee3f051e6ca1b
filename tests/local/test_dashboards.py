"""Superset's secrets and its place beside the stack. What it shows is looked at in
tests/dashboards/."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from orchestration.errors import UsageError
from orchestration.local import dashboards
from orchestration.local.state import State
from orchestration.settings import state_folder


@pytest.fixture
def state() -> State:
    state = State(state_folder())
    state.create()
    state.write_env(dict.fromkeys(dashboards.WAREHOUSE, "5432"))
    return state


def test_secrets_are_made_once_and_are_their_owners_alone(state: State) -> None:
    made = dashboards.secrets(state)
    assert dashboards.secrets(state) == made
    assert stat.S_IMODE(state.superset_env_file.stat().st_mode) == 0o600
    passwords = [made[dashboards.password_variable(user)] for user in dashboards.users()]
    assert len(set(passwords)) == len(passwords) >= 5
    assert min(map(len, passwords)) >= 24


def test_a_new_buyer_gets_a_password_and_the_others_keep_theirs(
    state: State, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = dashboards.secrets(state)
    access = yaml.safe_load((dashboards.SOURCE / "access.yaml").read_text())
    access["buyers"]["ann"] = ["chemicals"]
    (tmp_path / "access.yaml").write_text(yaml.safe_dump(access))
    monkeypatch.setattr(dashboards, "SOURCE", tmp_path)
    after = dashboards.secrets(state)
    assert set(after) - set(before) == {"SUPERSET_PASSWORD_ANN"}
    assert {name: after[name] for name in before} == before
    assert ("ann", after["SUPERSET_PASSWORD_ANN"], "suppliers of chemicals") in dashboards.logins(
        state
    )


def test_who_serves_has_no_password_of_a_person(state: State) -> None:
    served = dashboards.part(state, 8088).env
    assert "SUPERSET_SECRET_KEY" in served
    people = {dashboards.password_variable(user) for user in dashboards.users()}
    assert not people & set(served)
    assert not {"POSTGRES_PIPELINE_PASSWORD", "POSTGRES_SUPERUSER_PASSWORD"} & set(served)


def test_without_superset_the_way_to_install_it_is_named(
    state: State, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(dashboards, "ENVIRONMENT", tmp_path / "nowhere")
    with pytest.raises(UsageError, match="make dashboards"):
        dashboards.provision(state)


def test_a_wish_for_dashboards_is_of_one_stack_and_told_once(state: State) -> None:
    state.ask_for_dashboards("another")
    assert not state.take_wish_for_dashboards("this")
    state.ask_for_dashboards("this")
    assert state.take_wish_for_dashboards("this")
    assert not state.take_wish_for_dashboards("this")


def test_without_a_stack_the_command_says_how_to_start_one(state: State) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "local", "dashboards"],
        env={"PATH": "/usr/bin:/bin", "SUPPLIER_RISK_STATE": str(state.folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "make up" in done.stderr
