"""Real parts for the benchmarks: PostgreSQL, Google's emulator, the offline analyst over HTTP.

Each starts when it is first asked for; all of them end with this process, whatever ends it.
"""

import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import psutil

from benchmarks.stub import part as stub
from orchestration.local import analyst_part, emulator, postgres
from orchestration.local.processes import Part, StopOrder, start, start_guardian, stop
from orchestration.local.state import Running, StackFile, State
from orchestration.migrations import upgrade
from orchestration.settings import STATE_VARIABLE, LlmSettings, LocalSettings, PostgresSettings

_ROLES = ("migrator", "pipeline", "transformer", "bi_reader")
_SETTINGS = ("POSTGRES_", "PUBSUB_", "LLM_", "INGEST_", "DAGSTER_")
_TEMPLATE = "template_for_benchmarks"
_READY_SECONDS = 120


@contextmanager
def open_parts() -> Iterator["Parts"]:
    """No setting of the caller's shell or local stack reaches the parts, but for the emulator's
    jar.
    """
    local = LocalSettings.load()
    for name in [name for name in os.environ if name.startswith(_SETTINGS)]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="supplier-risk-benchmarks-") as folder:
        Path(folder).chmod(0o711)
        state = State(Path(folder) / "state")
        state.create()
        os.environ[STATE_VARIABLE] = str(state.folder)
        parts = Parts(state, local)
        guardian = start_guardian(parts.stack_id, state.stack_file)
        try:
            yield parts
        finally:
            guardian.communicate(timeout=60)


class Parts:
    """The parts that were asked for, and a fresh database for whoever wants one."""

    def __init__(self, state: State, local: LocalSettings) -> None:
        self.stack_id = secrets.token_hex(8)
        self._state = state
        self._local = local
        self._password = postgres.new_password()
        self._running: list[Running] = []

    @cached_property
    def cluster(self) -> postgres.Cluster:
        """PostgreSQL with a database that holds the schema, from which others are copied."""
        port = self._state.ports(("postgres",))["postgres"]
        cluster = postgres.Cluster(self._state.folder, port, self._password)
        cluster.initialise()
        self._start(cluster.part(self.postgres_log), cluster.is_ready)
        cluster.create_databases(self._password, self._password)
        with cluster.connect("postgres") as connection:
            postgres.create_database(connection, _TEMPLATE, owner="migrator")
        upgrade(self._settings(cluster.port, _TEMPLATE))
        return cluster

    @property
    def folder(self) -> Path:
        """Where files may lie until this process ends."""
        return self._state.folder

    @property
    def postgres_log(self) -> Path:
        """What the server writes."""
        return self._state.logs / "postgres.log"

    @cached_property
    def emulator_host(self) -> str:
        """Host and port of Google's emulator."""
        return self._start_emulator("emulator")[0]

    @contextmanager
    def fresh_emulator(self) -> Iterator[str]:
        """Host and port of one that nobody used: it is slower the more went through it."""
        host, process = self._start_emulator("fresh-emulator")
        yield host
        process.kill()
        process.wait()

    @cached_property
    def llm(self) -> LlmSettings:
        """The settings of the offline analyst."""
        port = self._state.ports(("analyst",))["analyst"]
        part = analyst_part.part(port, self._state.logs / "analyst.log")
        self._start(part, lambda: analyst_part.is_ready(port))
        values = analyst_part.environment(port)
        return LlmSettings.model_validate(
            {name.removeprefix("LLM_").lower(): value for name, value in values.items()}
        )

    @contextmanager
    def stub(self, *options: str) -> Iterator[int]:
        """The port of a stub of an LLM endpoint that nobody used."""
        port = self._state.ports(("stub",))["stub"]
        part = stub.part(port, self._state.logs / "stub.log", *options)
        process = self._start(part, lambda: stub.is_ready(port))
        yield port
        process.kill()
        process.wait()

    @contextmanager
    def serving(
        self, name: str, make: Callable[[int], Part], is_ready: Callable[[int], bool]
    ) -> Iterator[int]:
        """The port of a part that is made for it; stopped afterwards with what it started."""
        port = self._state.ports((name,))[name]
        self._start(replace(make(port), name=name), lambda: is_ready(port))
        yield port
        stop(self.stack_id, [running.stop for running in self._running if running.name == name])

    def cpu_seconds(self, name: str) -> float:
        """Of a running part and its children, of those as well that have ended."""
        pid = next(running.stop.pid for running in self._running if running.name == name)
        own = psutil.Process(pid)
        total = sum(own.cpu_times()[:4])
        for child in own.children():
            with suppress(psutil.NoSuchProcess):
                total += sum(child.cpu_times()[:2])
        return float(total)

    @contextmanager
    def database(self) -> Iterator[PostgresSettings]:
        """A database with the schema and no rows, dropped afterwards."""
        name = f"bench_{secrets.token_hex(6)}"
        with self.cluster.connect("postgres") as connection:
            connection.execute(f"create database {name} template {_TEMPLATE} owner migrator")
            yield self._settings(self.cluster.port, name)
            connection.execute(f"drop database {name} with (force)")

    def _settings(self, port: int, database: str) -> PostgresSettings:
        passwords = {f"{role}_password": self._password for role in _ROLES}
        values = {"host": "127.0.0.1", "port": port, "database": database, **passwords}
        return PostgresSettings.model_validate(values)

    def _start_emulator(self, name: str) -> tuple[str, psutil.Popen]:
        port = self._state.ports((name,))[name]
        host = f"127.0.0.1:{port}"
        part = emulator.part(port, self._state.logs / f"{name}.log", self._local)
        return host, self._start(part, lambda: emulator.answers(host))

    def _start(self, part: Part, is_ready: Callable[[], bool]) -> psutil.Popen:
        process = start(part, self.stack_id)
        order = StopOrder(
            part.name, process.pid, process.create_time(), part.stop_signal, part.patience
        )
        self._running.append(Running(part.name, "-", order))
        own = psutil.Process(os.getpid())
        self._state.write_stack(
            StackFile(self.stack_id, own.pid, own.create_time(), True, tuple(self._running))
        )
        deadline = time.monotonic() + _READY_SECONDS
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{part.name} is not ready: {part.log.read_text()}")
            time.sleep(0.02)
        return process


def postgres_environment(database: PostgresSettings) -> dict[str, str]:
    """The settings of a database under the names that they are read by."""
    passwords = {
        f"POSTGRES_{name.upper()}": getattr(database, name).get_secret_value()
        for name in PostgresSettings.model_fields
        if name.endswith("_password")
    }
    return {
        **passwords,
        "POSTGRES_HOST": database.host,
        "POSTGRES_PORT": str(database.port),
        "POSTGRES_DATABASE": database.database,
    }
