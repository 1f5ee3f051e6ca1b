"""The supervisor of the local stack: starts the parts in order, restarts what dies, stops all.

Order: PostgreSQL, emulator and analyst together; then the databases, the topic and the dbt
manifest; then Dagster. Each step waits until the part itself answers.
"""

import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from orchestration.errors import StackError, UsageError
from orchestration.ingestion import suppliers
from orchestration.ingestion.supplier_csv import read_csv
from orchestration.local import analyst_part, call_pages, dagster_parts, emulator, postgres
from orchestration.local.processes import Part, StopOrder, start, start_guardian
from orchestration.local.state import Running, StackFile, State
from orchestration.migrations import upgrade
from orchestration.resources.postgres import connect
from orchestration.settings import (
    STATE_VARIABLE,
    IngestSettings,
    LlmSettings,
    LocalSettings,
    PostgresSettings,
)
from orchestration.transformation.project import ensure_manifest

START_SECONDS = 90.0
MAX_RESTARTS = 5
_PORTS = ("postgres", "emulator", "analyst", "calls", "code-server", "webserver")
_PASSWORDS = (
    "POSTGRES_SUPERUSER_PASSWORD",
    "POSTGRES_MIGRATOR_PASSWORD",
    "POSTGRES_PIPELINE_PASSWORD",
    "POSTGRES_TRANSFORMER_PASSWORD",
    "POSTGRES_BI_READER_PASSWORD",
    "DAGSTER_POSTGRES_PASSWORD",
)


@dataclass
class Child:
    """A part that the supervisor watches, with what to do whenever it has just started."""

    part: Part
    address: str
    is_ready: Callable[[], bool]
    on_ready: Callable[[], None]
    process: psutil.Popen
    restarts: int = 0


class Stack:
    """One run of the local stack over one state folder."""

    def __init__(self, state: State, say: Callable[[str], None]) -> None:
        self.state = state
        self.say = say
        self.guardian: subprocess.Popen[bytes] | None = None
        self.stack_id = secrets.token_hex(8)
        self.brought = _brought()
        self.children: list[Child] = []
        self.stopping = threading.Event()
        self.is_ready = False

    def up(self) -> None:
        """Start everything. Raises StackError naming the part and its log."""
        self.state.create()
        self.ports = self.state.ports(_PORTS)
        self.env = self._environment()
        self.cluster = postgres.Cluster(
            self.state.folder, self.ports["postgres"], self.env["POSTGRES_SUPERUSER_PASSWORD"]
        )
        self._write_stack(ready=False)
        self.guardian = start_guardian(self.stack_id, self.state.stack_file)
        self._start_stores()
        self._start_dagster()
        self.is_ready = True
        self._write_stack(ready=True)

    def started(self) -> StackFile:
        """What runs, as other processes see it."""
        running = self.state.read_stack()
        if running is None:
            raise StackError("The stack was stopped by another process.")
        return running

    def watch(self) -> None:
        """Restart what ends by itself, until `stopping` is set."""
        while not self.stopping.wait(0.3):
            for child in list(self.children):
                if child.process.poll() is not None:
                    self._restart(child)

    def down(self) -> None:
        """Stop everything; the guardian does it, this process reaps."""
        if self.guardian is None or self.guardian.stdin is None:
            return
        self.guardian.stdin.close()
        while self.guardian.poll() is None:
            for child in self.children:
                child.process.poll()
            time.sleep(0.05)
        for child in self.children:
            child.process.poll()

    def stop_feeding(self) -> None:
        """Stop Dagster's daemon and code server, so that nobody else pulls messages."""
        for name in ("daemon", "code-server"):
            for child in [child for child in self.children if child.part.name == name]:
                child.process.send_signal(signal.SIGTERM)
                try:
                    child.process.wait(child.part.patience)
                except psutil.TimeoutExpired:
                    child.process.kill()

    @property
    def owns_emulator(self) -> bool:
        """Whether messages that are not landed are lost with this stack."""
        return self.brought.pubsub_emulator_host is None

    def _environment(self) -> dict[str, str]:
        known = self.state.read_env()
        env = {name: known.get(name) or postgres.new_password() for name in _PASSWORDS}
        env |= {
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(self.ports["postgres"]),
            "POSTGRES_DATABASE": postgres.DATABASE,
            "DAGSTER_POSTGRES_USER": "dagster",
            "DAGSTER_POSTGRES_DATABASE": postgres.DAGSTER_DATABASE,
            "DAGSTER_HOME": str(self.state.dagster_home),
            "LLM_CALL_URL": f"http://127.0.0.1:{self.ports['calls']}/calls/{{}}",
            "PUBSUB_EMULATOR_HOST": self.brought.pubsub_emulator_host
            or f"127.0.0.1:{self.ports['emulator']}",
        }
        if "PUBSUB_PROJECT_ID" in known:
            env["PUBSUB_PROJECT_ID"] = known["PUBSUB_PROJECT_ID"]
        if self.brought.llm_base_url is None:
            env |= analyst_part.environment(self.ports["analyst"])
        self.state.write_env(env)
        return env

    def _child_environment(self) -> dict[str, str]:
        """For Dagster: all but the project id, which changes when the emulator restarts."""
        shared = {key: value for key, value in self.env.items() if key != "PUBSUB_PROJECT_ID"}
        return shared | {STATE_VARIABLE: str(self.state.folder)}

    def _start_stores(self) -> None:
        self.cluster.initialise()
        first = [self._launch_postgres()]
        if self.owns_emulator:
            first.append(self._launch_emulator())
        if self.brought.llm_base_url is None:
            first.append(self._launch_analyst())
        ensure_manifest(self.env)
        for child in first:
            self._until_ready(child)
        if not self.owns_emulator:
            self._prepare_topic()

    def _start_dagster(self) -> None:
        home = self.state.dagster_home
        dagster_parts.prepare_home(home, self.ports["code-server"])
        code, web = self.ports["code-server"], self.ports["webserver"]
        env = self._child_environment()
        calls = self._launch_call_pages()
        server = self._launch(
            dagster_parts.code_server(code, self._log("code-server"), env),
            f"127.0.0.1:{code}",
            lambda: dagster_parts.code_server_is_ready(code),
        )
        self._until_ready(calls)
        self._until_ready(server)
        both = [
            self._launch(
                dagster_parts.webserver(home, web, self._log("webserver"), env),
                f"http://127.0.0.1:{web}",
                lambda: dagster_parts.webserver_is_ready(web),
            ),
            self._launch(
                dagster_parts.daemon(home, self._log("daemon"), env),
                "-",
                lambda: dagster_parts.daemon_is_ready(web),
            ),
        ]
        for child in both:
            self._until_ready(child)

    def _launch_postgres(self) -> Child:
        return self._launch(
            self.cluster.part(self._log("postgres")),
            f"127.0.0.1:{self.cluster.port}",
            self.cluster.is_ready,
            self._prepare_database,
        )

    def _launch_emulator(self) -> Child:
        host = self.env["PUBSUB_EMULATOR_HOST"]
        return self._launch(
            emulator.part(self.ports["emulator"], self._log("emulator"), self.brought),
            host,
            lambda: emulator.answers(host),
            self._prepare_topic,
        )

    def _launch_analyst(self) -> Child:
        port = self.ports["analyst"]
        return self._launch(
            analyst_part.part(port, self._log("analyst")),
            f"http://127.0.0.1:{port}/v1",
            lambda: analyst_part.is_ready(port),
        )

    def _launch_call_pages(self) -> Child:
        port = self.ports["calls"]
        return self._launch(
            call_pages.part(port, self._log("calls")),
            self.env["LLM_CALL_URL"].removesuffix("{}"),
            lambda: call_pages.is_ready(port),
        )

    def _prepare_database(self) -> None:
        self.cluster.create_databases(
            self.env["POSTGRES_MIGRATOR_PASSWORD"], self.env["DAGSTER_POSTGRES_PASSWORD"]
        )
        settings = PostgresSettings.load()
        upgrade(settings)
        with connect(settings, "local stack") as connection:
            suppliers.load(connection, read_csv(IngestSettings.load().suppliers_csv))

    def _prepare_topic(self) -> None:
        previous = self.env.get("PUBSUB_PROJECT_ID")
        settings = emulator.prepare(self.env["PUBSUB_EMULATOR_HOST"], previous)
        self.env["PUBSUB_PROJECT_ID"] = settings.project_id
        self.state.write_env(self.env)

    def _log(self, name: str) -> Path:
        return self.state.logs / f"{name}.log"

    def _launch(
        self,
        part: Part,
        address: str,
        is_ready: Callable[[], bool],
        on_ready: Callable[[], None] = lambda: None,
    ) -> Child:
        child = Child(part, address, is_ready, on_ready, start(part, self.stack_id))
        self.children.append(child)
        self._write_stack(ready=False)
        return child

    def _until_ready(self, child: Child) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.stopping.is_set():
            code = child.process.poll()
            if code is not None:
                child = self._start_again(child, f"ended with code {code} while starting")
            elif child.is_ready():
                child.on_ready()
                self.say(f"{child.part.name} is ready")
                return
            elif time.monotonic() > deadline:
                raise StackError(
                    f"{child.part.name} did not become ready in {START_SECONDS:.0f} s; "
                    f"read its log: {child.part.log}"
                )
            time.sleep(0.05)
        raise KeyboardInterrupt

    def _restart(self, child: Child) -> None:
        self.say(f"{child.part.name} ended with code {child.process.returncode}; starting it again")
        self._until_ready(self._start_again(child, "keeps ending"))
        self._write_stack(ready=True)

    def _start_again(self, child: Child, what: str) -> Child:
        if child.restarts >= MAX_RESTARTS:
            raise StackError(f"{child.part.name} {what}; read its log: {child.part.log}")
        time.sleep(0.2 * 2**child.restarts)
        fresh = replace(
            child, process=start(child.part, self.stack_id), restarts=child.restarts + 1
        )
        self.children[self.children.index(child)] = fresh
        self._write_stack(ready=False)
        return fresh

    def _write_stack(self, ready: bool) -> None:
        own = psutil.Process(os.getpid())
        parts = tuple(Running(c.part.name, c.address, _stop_order(c)) for c in self.children)
        self.state.write_stack(StackFile(self.stack_id, own.pid, own.create_time(), ready, parts))


def _brought() -> LocalSettings:
    """What the user brings instead of the stack's own parts. Raises UsageError if it is half."""
    brought = LocalSettings.load()
    if brought.llm_base_url is None and (brought.llm_api_key or brought.llm_model):
        raise UsageError(
            "LLM_API_KEY or LLM_MODEL is set, LLM_BASE_URL is not: set all three to use a real "
            "model, such as LLM_BASE_URL=https://api.openai.com/v1; or none for the offline analyst"
        )
    if brought.llm_base_url is not None:
        LlmSettings.load()
    return brought


def _stop_order(child: Child) -> StopOrder:
    created: Any = child.process.create_time() if child.process.is_running() else 0.0
    return StopOrder(
        child.part.name, child.process.pid, created, child.part.stop_signal, child.part.patience
    )


def catch_stop_signals(stack: Stack) -> None:
    """SIGINT and SIGTERM end `watch` and a start under way; a second one changes nothing."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stack.stopping.set())
