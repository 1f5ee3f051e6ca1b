"""The supervisor with small parts, without a stack: when it restarts, waits, gives up, stops."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from orchestration.errors import StackError
from orchestration.local import dagster_parts, dashboards
from orchestration.local.processes import Part, start, start_guardian
from orchestration.local.stack import Stack
from orchestration.local.state import State
from orchestration.local.supervisor import MAX_RESTARTS, STEADY_SECONDS, Supervisor
from orchestration.settings import state_folder


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(said: list[str]) -> Iterator[Supervisor]:
    state = State(state_folder())
    state.create()
    supervisor = Supervisor(state, said.append)
    supervisor.guard()
    yield supervisor
    supervisor.down()


def sleeper(supervisor: Supervisor) -> Part:
    code = "import time; time.sleep(600)"
    return Part("sleeper", [sys.executable, "-c", code], supervisor.state.logs / "sleeper.log", {})


def kill(supervisor: Supervisor) -> None:
    (child,) = supervisor.children
    child.process.kill()
    child.process.wait()


def test_a_part_that_keeps_ending_is_given_up(supervisor: Supervisor) -> None:
    supervisor.launch(sleeper(supervisor), "-", lambda _: True)
    supervisor.children[0].restarts = MAX_RESTARTS
    kill(supervisor)
    with pytest.raises(StackError, match=r"sleeper keeps ending; read its log: .*sleeper\.log"):
        supervisor.pause(0)


def test_an_optional_part_that_keeps_ending_is_given_up_and_the_others_go_on(
    supervisor: Supervisor,
) -> None:
    supervisor.launch(replace(sleeper(supervisor), optional=True), "-", lambda _: True)
    supervisor.launch(sleeper(supervisor), "-", lambda _: True)
    optional, other = supervisor.children
    optional.restarts = MAX_RESTARTS
    optional.process.kill()
    optional.process.wait()
    supervisor.pause(0)
    assert supervisor.children == [other]
    assert other.process.is_running()
    assert [part.name for part in supervisor.state.started().parts] == ["sleeper"]


def test_an_optional_part_whose_command_is_gone_is_given_up_and_the_others_go_on(
    said: list[str], supervisor: Supervisor, tmp_path: Path
) -> None:
    command = tmp_path / "superset"
    command.symlink_to("/bin/sleep")
    part = replace(sleeper(supervisor), command=[str(command), "600"], optional=True)
    supervisor.launch(part, "-", lambda _: True)
    supervisor.launch(sleeper(supervisor), "-", lambda _: True)
    optional, other = supervisor.children
    command.unlink()
    optional.process.kill()
    optional.process.wait()
    supervisor.pause(0)
    assert supervisor.children == [other]
    assert other.process.is_running()
    assert supervisor.state.started().ready
    assert "sleeper is given up; the others go on. sleeper cannot be started: " in said[-1]
    assert f"'{command}'. What to do: " in said[-1]


def test_a_part_that_is_needed_and_whose_command_is_gone_is_named(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    part = replace(sleeper(supervisor), command=[str(tmp_path / "nowhere")])
    with pytest.raises(StackError, match=r"sleeper cannot be started: .*nowhere'\. What to do: "):
        supervisor.launch(part, "-", lambda _: True)
    assert supervisor.children == []


def test_a_stack_without_superset_says_so_once_asked_for_it_and_goes_on(
    said: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stack = Stack(State(state_folder()), said.append)
    stack.state.create()
    stack.state.write_env(dict.fromkeys(dashboards.WAREHOUSE, "5432"))
    stack.ports = {"superset": 1}
    monkeypatch.setattr(dashboards, "ENVIRONMENT", tmp_path / "nowhere")
    stack.state.ask_for_dashboards(stack.stack_id)
    stack.pause(0)
    assert stack.children == []
    assert "superset is given up; the others go on. superset cannot be started: " in said[-1]


def test_an_optional_part_is_restarted_without_keeping_the_others_waiting(
    supervisor: Supervisor,
) -> None:
    supervisor.launch(replace(sleeper(supervisor), optional=True), "-", lambda _: False)
    kill(supervisor)
    supervisor.pause(0)
    assert supervisor.children[0].process.is_running()
    assert supervisor.state.started().ready


def test_a_part_that_had_run_for_long_has_all_its_restarts_again(supervisor: Supervisor) -> None:
    supervisor.launch(sleeper(supervisor), "-", lambda _: True)
    supervisor.children[0].restarts = MAX_RESTARTS
    supervisor.children[0].started_at -= STEADY_SECONDS + 1
    kill(supervisor)
    supervisor.pause(0)
    assert supervisor.children[0].process.is_running()
    assert supervisor.children[0].restarts == 1


def test_a_restarted_part_is_asked_for_signs_of_life_that_are_its_own(
    supervisor: Supervisor,
) -> None:
    asked: list[float] = []

    def is_ready(since: float) -> bool:
        asked.append(since)
        return True

    supervisor.launch(sleeper(supervisor), "-", is_ready)
    before = time.time()
    kill(supervisor)
    supervisor.pause(0)
    assert asked[-1] >= before


def test_who_lets_time_pass_is_interrupted_by_a_stop(supervisor: Supervisor) -> None:
    threading.Timer(0.2, supervisor.stopping.set).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        supervisor.pause(30)
    assert time.monotonic() - started < 10
    supervisor.watch()


class Webserver:
    """Answers GraphQL as Dagster's webserver does, with what the test wants to be told."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(outer.answer).encode())

            def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def tell_heartbeat(self, time_of_it: float | None) -> None:
        status = {"required": True, "healthy": True, "lastHeartbeatTime": time_of_it}
        self.answer = {"data": {"instance": {"daemonHealth": {"allDaemonStatuses": [status]}}}}


@pytest.fixture
def webserver() -> Iterator[Webserver]:
    webserver = Webserver()
    yield webserver
    webserver.server.shutdown()
    webserver.server.server_close()


@pytest.mark.parametrize(("heartbeat", "ready"), [(99.0, False), (None, False), (101.0, True)])
def test_a_heartbeat_of_the_daemon_before_it_does_not_make_a_daemon_ready(
    webserver: Webserver, heartbeat: float | None, ready: bool
) -> None:
    webserver.tell_heartbeat(heartbeat)
    assert dagster_parts.daemon_is_ready(webserver.port, since=100.0) is ready


def test_an_error_of_the_webserver_is_not_ready_and_nothing_worse(webserver: Webserver) -> None:
    webserver.answer = {"errors": [{"message": "the database is restarting"}]}
    for port in (webserver.port, 1):
        assert not dagster_parts.daemon_is_ready(port, since=0.0)
        assert not dagster_parts.webserver_is_ready(port)


def test_the_log_of_a_part_is_named_when_it_ends_at_once(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    part = Part("stillborn", [sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "log", {})
    child = supervisor.launch(part, "-", lambda _: False)
    child.restarts = MAX_RESTARTS
    child.process.wait()
    with pytest.raises(StackError, match="ended with code 3 while starting"):
        supervisor.until_ready(child)


def test_the_guardian_also_stops_what_no_stack_file_lists(tmp_path: Path) -> None:
    guardian = start_guardian("unlisted", tmp_path / "stack.json")
    code = "import time; time.sleep(600)"
    process = start(
        Part("unlisted", [sys.executable, "-c", code], tmp_path / "log", {}), "unlisted"
    )
    assert guardian.stdin is not None
    guardian.stdin.close()
    assert process.wait(30) != 0
    guardian.wait(30)
