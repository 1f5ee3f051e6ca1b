"""What the stack and its parts may know: their own values, and no more than they need."""

import json
import sys
from pathlib import Path

import pytest

from orchestration.errors import UsageError
from orchestration.local import dagster_parts, stack_env
from orchestration.local.processes import Part, start
from orchestration.local.state import State
from orchestration.settings import (
    LocalSettings,
    PostgresSettings,
    bare_environment,
    dbt_target_folder,
    environment,
    state_folder,
    trust_the_stack_alone,
)
from orchestration.transformation.project import FOLDER, MANIFEST, ensure_manifest

PORTS = dict.fromkeys(("postgres", "emulator", "analyst", "calls", "webserver"), 1)
MODEL = ("LLM_BASE_URL", "LLM_API_KEY", "LLM_MODEL")


@pytest.fixture
def state() -> State:
    state = State(state_folder())
    state.create()
    return state


def test_a_foreign_server_in_the_shell_does_not_reach_the_stack(
    monkeypatch: pytest.MonkeyPatch, state: State
) -> None:
    foreign = ("POSTGRES_HOST", "PGHOSTADDR", "DAGSTER_HOME", "PUBSUB_PROJECT_ID", "DBT_TARGET")
    for name in foreign:
        monkeypatch.setenv(name, "foreign.example")
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "brought.example:1")
    state.write_env(stack_env.compose(state, PORTS, LocalSettings.load()))
    assert PostgresSettings.load().host == "foreign.example"
    trust_the_stack_alone()
    assert PostgresSettings.load().host == "127.0.0.1"
    assert "foreign.example" not in environment().values()
    assert environment()["PUBSUB_EMULATOR_HOST"] == "brought.example:1"


@pytest.mark.parametrize("present", [*[{name} for name in MODEL], {*MODEL[:2]}, {*MODEL[1:]}])
def test_half_of_a_real_model_is_wrong_use_also_when_an_older_start_left_the_rest(
    monkeypatch: pytest.MonkeyPatch, state: State, present: set[str]
) -> None:
    state.write_env(stack_env.compose(state, PORTS, LocalSettings.load()))
    for name in present:
        monkeypatch.setenv(name, "http://model.example/v1")
    with pytest.raises(UsageError, match="set all three"):
        stack_env.what_is_brought()


def test_a_part_gets_no_secret_that_was_not_meant_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LLM_API_KEY", "secret")
    told = tmp_path / "told.json"
    code = f"import json, os; json.dump(dict(os.environ), open({str(told)!r}, 'w'))"
    part = Part("teller", [sys.executable, "-c", code], tmp_path / "log", {"MEANT": "yes"})
    start(part, "test").wait(30)
    got = json.loads(told.read_text())
    allowed = {*bare_environment(), "MEANT", "SUPPLIER_RISK_STACK", "SUPPLIER_RISK_PART"}
    assert set(got) - {"LC_CTYPE", "PWD", "SHLVL", "_"} <= allowed
    assert "PATH" in got


def test_dagster_gets_the_key_of_the_model_but_no_password_of_those_who_own_the_schema(
    monkeypatch: pytest.MonkeyPatch, state: State
) -> None:
    for name in MODEL:
        monkeypatch.setenv(name, "secret")
    env = stack_env.for_dagster(state, stack_env.compose(state, PORTS, LocalSettings.load()))
    assert env["LLM_API_KEY"] == "secret"
    assert "POSTGRES_TRANSFORMER_PASSWORD" in env
    assert not {name for name in env if "SUPERUSER" in name or "MIGRATOR" in name}


def test_other_accounts_read_neither_logs_nor_what_dagster_keeps(state: State) -> None:
    state.logs.chmod(0o755)
    state.create()
    dagster_parts.prepare_home(state.dagster_home, 1)
    for folder in (state.logs, state.dagster_home):
        assert folder.stat().st_mode & 0o077 == 0


def test_a_stack_has_a_manifest_of_its_own_and_leaves_the_common_one_alone(
    monkeypatch: pytest.MonkeyPatch, state: State
) -> None:
    before = MANIFEST.stat()
    env = stack_env.for_dagster(state, {"POSTGRES_PORT": "1"})
    manifest = ensure_manifest(env, state.dbt_target)
    assert manifest == state.dbt_target / "manifest.json"
    assert json.loads(manifest.read_text())["nodes"]
    assert not list(state.dbt_target.glob("parsing-*"))
    assert (MANIFEST.stat().st_mtime_ns, MANIFEST.stat().st_ino) == (
        before.st_mtime_ns,
        before.st_ino,
    )
    monkeypatch.setenv("DBT_TARGET_PATH", env["DBT_TARGET_PATH"])
    assert dbt_target_folder(FOLDER) == state.dbt_target
