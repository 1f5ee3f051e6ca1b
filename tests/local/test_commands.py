"""What the commands say and return while a stack starts, does not start, or does not stop."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orchestration.errors import StackError
from orchestration.local import control
from orchestration.local.demo import reconciliation
from orchestration.local.processes import StopOrder
from orchestration.local.state import Running, StackFile
from orchestration.scoring.status import STATES
from tests.local.stack import LocalStack, local_stack

IGNORES_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    " print('ready', flush=True); time.sleep(600)"
)


@pytest.fixture
def stack(tmp_path: Path) -> LocalStack:
    """A state folder in which nothing is ever started."""
    stack = LocalStack(tmp_path / "state")
    stack.state.create()
    return stack


@pytest.fixture
def stubborn() -> Iterator[psutil.Process]:
    """A supervisor that does nothing, least of all end."""
    process = subprocess.Popen([sys.executable, "-c", IGNORES_SIGTERM], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    yield psutil.Process(process.pid)
    process.kill()
    process.communicate()


def pretend(stack: LocalStack, pid: int, created: float, ready: bool) -> None:
    order = StopOrder("postgres", 0, 0.0, signal.SIGINT, 1.0)
    parts = (Running("postgres", "127.0.0.1:5", order), Running("webserver", "http://old", order))
    shown = parts if ready else parts[:1]
    stack.state.write_stack(StackFile("id", pid, created, ready, shown))


@pytest.mark.parametrize(
    ("command", "code"),
    [(["local", "up"], 0), (["local", "up", "-d"], 0), (["local", "status"], 0), (["demo"], 1)],
)
def test_a_stack_that_still_starts_is_said_to_start(
    stack: LocalStack, stubborn: psutil.Process, command: list[str], code: int
) -> None:
    pretend(stack, stubborn.pid, stubborn.create_time(), ready=False)
    done = stack.run(*command)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == code, said
    assert "The stack is starting; parts so far: postgres." in said
    assert "Traceback" not in said


def test_a_supervisor_that_outlives_the_patience_is_not_called_stopped(
    stack: LocalStack, stubborn: psutil.Process
) -> None:
    pretend(stack, stubborn.pid, stubborn.create_time(), ready=True)
    with pytest.raises(StackError, match=f"not stopped: .* process {stubborn.pid}") as caught:
        control.stop_running(stack.state, patience=0.5)
    assert caught.value.exit_code == 1


def test_without_an_emulator_up_fails_with_a_sentence_also_where_an_old_stack_was_ready() -> None:
    with local_stack() as stack:
        stack.state.create()
        pretend(stack, os.getpid(), created=1.0, ready=True)
        stack.env["PATH"] = "/nonexistent"
        stack.env.pop("PUBSUB_EMULATOR_JAR", None)
        done = stack.run("local", "up", "--detach")
        said = " ".join((done.stdout + done.stderr).split())
        assert done.returncode == 1, said
        assert "gcloud components install pubsub-emulator" in said
        assert "http://old" not in said
        assert stack.run("local", "status").returncode == 1


def test_the_reconciliation_of_the_demonstration_names_every_state_and_adds_up() -> None:
    batch = {state: number for number, state in enumerate(STATES, start=1)}
    line = reconciliation({**batch, "received": 36, "gap": 0})
    numbers = [int(word) for word in line.replace(";", "").split() if word.isdigit()]
    assert sum(numbers[1:]) == numbers[0]
    assert "superseded" in line
    assert "irrelevant" in line


def test_a_gap_in_the_demonstration_is_a_failure() -> None:
    batch = dict.fromkeys(STATES, 0)
    with pytest.raises(StackError, match="gap 1"):
        reconciliation({**batch, "received": 1, "gap": 1})


def test_the_demonstration_refuses_a_file_that_is_not_there(stack: LocalStack) -> None:
    done = stack.run("demo", str(Path("missing.jsonl")))
    assert done.returncode == 2
    assert "missing.jsonl" in done.stderr


def test_removing_asks_and_a_person_who_does_not_say_yes_keeps_everything(
    stack: LocalStack,
) -> None:
    asked = stack.run("local", "remove")
    assert asked.returncode == 1
    assert "for good?" in asked.stdout
    assert stack.state.folder.exists()
    assert stack.run("local", "remove", "--yes").returncode == 0
    assert not stack.state.folder.exists()


def test_a_stack_that_was_killed_when_it_was_ready_is_not_ready(stack: LocalStack) -> None:
    pretend(stack, os.getpid(), created=1.0, ready=True)
    done = stack.run("local", "status", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"running": False, "ready": False, "parts": {}}
