"""The local stack as processes: nothing is left behind, nothing is lost, everything is said."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from orchestration.errors import StackError
from orchestration.local import emulator
from orchestration.local.emulator import find_jar
from orchestration.local.state import State
from orchestration.settings import REPOSITORY, LocalSettings, state_folder
from tests.local.stack import LocalStack, eventually, local_stack

SUPPLIERS = REPOSITORY / "data" / "suppliers.csv"


@pytest.fixture
def stack() -> Iterator[LocalStack]:
    with local_stack() as stack:
        yield stack


def in_foreground(stack: LocalStack) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", "local", "up"],
        env=stack.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def until_ready(stack: LocalStack) -> str:
    eventually("a ready stack", lambda: (s := stack.state.read_stack()) and s.ready)
    return stack.running().stack_id


def test_a_missing_emulator_is_one_sentence_on_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("PUBSUB_EMULATOR_JAR", raising=False)
    state = State(state_folder())
    state.create()
    with pytest.raises(StackError, match="gcloud components install") as caught:
        emulator.part(1, state.logs / "emulator.log", LocalSettings.load())
    assert caught.value.exit_code == 1


def test_the_jar_is_taken_from_the_environment_if_it_is_named_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jar = state_folder() / "emulator.jar"
    monkeypatch.setenv("PUBSUB_EMULATOR_JAR", str(jar))
    assert find_jar(LocalSettings.load()) is None
    jar.parent.mkdir(parents=True)
    jar.touch()
    assert find_jar(LocalSettings.load()) == jar


def test_ports_are_kept_and_a_taken_one_is_replaced() -> None:
    state = State(state_folder())
    state.create()
    first = state.ports(("a", "b"))
    assert state.ports(("a", "b")) == first
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first["a"]))
        taken.listen()
        second = state.ports(("a", "b"))
    assert second["a"] != first["a"]
    assert second["b"] == first["b"]


def test_secrets_of_the_stack_are_readable_by_their_owner_only() -> None:
    state = State(state_folder())
    state.create()
    state.write_env({"A": "it's 1"})
    assert state.env_file.stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_what_runs_is_said_and_data_and_addresses_survive_a_restart(stack: LocalStack) -> None:
    first = stack.up()
    again = stack.run("local", "up")
    assert again.returncode == 0
    assert "already runs" in again.stdout
    assert first.address("webserver") in again.stdout
    status = json.loads(stack.run("local", "status", "--json").stdout)
    assert status["ready"]
    assert set(status["parts"]) >= {"postgres", "emulator", "analyst", "webserver", "daemon"}
    for address in status["parts"].values():
        assert address == "-" or "127.0.0.1" in address
    stack.publish("A", "Siemens recalls valves in Chile.")
    scored = "select state from risk.message_states"
    eventually("batch A", lambda: stack.rows(scored) == [("scored",)])
    down = stack.run("local", "down")
    assert "drained" in down.stdout
    assert stack.processes(first.stack_id) == []
    second = stack.up()
    assert [p.address for p in second.parts] == [p.address for p in first.parts]
    assert stack.rows(scored) == [("scored",)]
    stack.publish("B", "Siemens recalls valves in Chile.")
    eventually("batch B", lambda: sorted(stack.rows(scored)) == [("duplicate",), ("scored",)])


@pytest.mark.slow
def test_messages_that_nobody_pulled_land_on_the_way_down(stack: LocalStack) -> None:
    stack.up()
    for part in ("daemon", "code-server"):
        psutil.Process(stack.pid(part)).suspend()
    stack.publish("A", *[f"Siemens recalls {n} valves." for n in range(30)])
    for part in ("daemon", "code-server"):
        psutil.Process(stack.pid(part)).kill()
    down = stack.run("local", "down")
    assert "none is lost" in down.stdout, down.stdout
    stack.up()
    assert stack.rows("select count(*) from ingest.messages") == [(30,)]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_ends_every_process(stack: LocalStack, number: int) -> None:
    process = in_foreground(stack)
    stack_id = until_ready(stack)
    assert len(stack.processes(stack_id)) > 7
    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert stack.processes(stack_id) == []


@pytest.mark.slow
def test_ctrl_c_during_the_start_ends_every_process(stack: LocalStack) -> None:
    process = in_foreground(stack)
    eventually("a first part", lambda: (s := stack.state.read_stack()) and len(s.parts) > 2)
    stack_id = stack.running().stack_id
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert stack.processes(stack_id) == []


@pytest.mark.slow
def test_sigkill_of_the_supervisor_leaves_no_process_even_in_the_middle_of_a_run(
    stack: LocalStack,
) -> None:
    process = in_foreground(stack)
    stack_id = until_ready(stack)
    stack.publish("A", *[f"Siemens recalls {n} valves." for n in range(200)])
    eventually("a run", lambda: stack.rows("select 1 from llm.attempts limit 1"))
    process.kill()
    process.communicate()
    eventually("no process", lambda: stack.processes(stack_id) == [], seconds=30)
    stack.up()
    counted = "select count(*) from risk.message_states where state = 'scored'"
    eventually("all scored", lambda: stack.rows(counted) == [(200,)], seconds=180)


def _is_again(stack: LocalStack, part: str, before: int) -> bool:
    return stack.running().ready and stack.pid(part) != before


@pytest.mark.slow
def test_a_part_that_ends_by_itself_is_started_again(stack: LocalStack) -> None:
    stack.up()
    for part in ("postgres", "analyst", "webserver", "daemon"):
        before = stack.pid(part)
        psutil.Process(before).kill()
        eventually(
            f"{part} again",
            partial(_is_again, stack, part, before),
        )
    stack.publish("A", "Siemens recalls valves in Chile.")
    scored = "select state from risk.message_states"
    eventually("batch A", lambda: stack.rows(scored) == [("scored",)])


def _kill_all(stack: LocalStack) -> None:
    """As a power cut does: the guardian first, or it would stop the parts in good order."""
    supervisor = stack.running().supervisor_pid
    everything = stack.processes(stack.running().stack_id)
    guardians = [p for p in everything if "orchestration.local.processes" in p.cmdline()]
    assert guardians
    for process in [*guardians, psutil.Process(supervisor), *everything]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(everything, timeout=10)


@pytest.mark.slow
def test_after_a_power_cut_in_the_middle_of_a_run_everything_gets_scored(stack: LocalStack) -> None:
    stack.up()
    stack.publish("A", *[f"Siemens recalls {n} valves." for n in range(200)])
    claimed = "select 1 from risk.work_items where state = 'claimed' and step = 'findings' limit 1"
    eventually("a run", lambda: stack.rows(claimed))
    _kill_all(stack)
    stack.up()
    assert stack.rows("select count(*) from ingest.messages") == [(200,)]
    counted = "select count(*) from risk.message_states where state = 'scored'"
    eventually("all scored", lambda: stack.rows(counted) == [(200,)], seconds=120)


@pytest.mark.slow
def test_a_supplier_list_of_the_user_survives_a_restart_of_postgresql(
    stack: LocalStack, tmp_path: Path
) -> None:
    stack.up()
    own = tmp_path / "own.csv"
    own.write_text("\n".join(SUPPLIERS.read_text().splitlines()[:4]) + "\n")
    assert stack.run("suppliers", "load", str(own)).returncode == 0
    before = stack.pid("postgres")
    psutil.Process(before).kill()
    eventually("postgres again", partial(_is_again, stack, "postgres", before))
    master = "select count(*) from ingest.suppliers where replaced_at is null"
    assert stack.rows(master) == [(3,)]
