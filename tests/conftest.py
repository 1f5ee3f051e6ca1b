"""Real parts for the tests: PostgreSQL, Google's emulator, the offline analyst over HTTP.

Each is started once for a test process; each test gets a database, a project and no faults.
"""

import itertools
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests
from hypothesis import HealthCheck, settings

from benchmarks.stub import part as stub
from orchestration.local import analyst_part, emulator, postgres
from orchestration.local.processes import Part, start, start_guardian
from orchestration.local.state import State
from orchestration.migrations import upgrade
from orchestration.resources.postgres import Connection, connect
from orchestration.resources.pubsub import GooglePubsub
from orchestration.settings import LlmSettings, LocalSettings, PostgresSettings, PubsubSettings
from orchestration.transformation.project import ensure_manifest
from tests.pubsub_proxy import Proxy, open_proxy

# A loaded machine is no fault of the code: properties are about values, never about time. New
# values are tried wherever people work; CI judges a commit, and tries the same ones each time.
settings.register_profile(
    "any-machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("any-machine")

PASSWORD = "for-tests-only"
FINDINGS_PROMPT = "Report the facts about this supplier"  # of no other step
_TEMPLATE = "template_for_tests"
_READY_SECONDS = 60


@dataclass
class Services:
    """Starts parts that end with this process, whatever ends it."""

    state: State
    stack_id: str

    def run(self, part: Part, is_ready: Callable[[], bool]) -> psutil.Popen:
        process = start(part, self.stack_id)
        deadline = time.monotonic() + _READY_SECONDS
        while not is_ready():
            assert process.poll() is None, part.log.read_text()
            assert time.monotonic() < deadline, f"{part.name} is not ready"
            time.sleep(0.02)
        return process


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the soak lasts, and which one it is."""
    parser.addoption("--soak-seconds", type=int, default=60)
    parser.addoption("--soak-seed", type=int, default=None)


def pytest_configure(config: pytest.Config) -> None:
    """dagster-dbt needs the manifest; a parallel run prepares it once, before its workers start."""
    if not hasattr(config, "workerinput"):
        ensure_manifest()


def settings_of_the_developer() -> list[str]:
    """Names in the environment that would reach a real database, topic or paid model. The
    emulator's jar is a fact about the machine."""
    ours = ("INGEST_", "HISTORY_", "ALERTS_")
    doors = ("POSTGRES_", "PUBSUB_", "LLM_", "DAGSTER_", "SUPERSET_", *ours)
    return [name for name in os.environ if name.startswith(doors) and name != "PUBSUB_EMULATOR_JAR"]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the developer's shell or local stack reaches a test."""
    for name in settings_of_the_developer():
        monkeypatch.delenv(name)
    monkeypatch.setenv("SUPPLIER_RISK_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    with tempfile.TemporaryDirectory(prefix="supplier-risk-tests-") as folder:
        state = State(Path(folder) / "state")
        Path(folder).chmod(0o711)
        state.create()
        stack_id = f"tests-{uuid.uuid4().hex}"
        guardian = start_guardian(stack_id, state.stack_file)
        yield Services(state, stack_id)
        assert guardian.stdin is not None
        guardian.stdin.close()
        guardian.wait(60)


@pytest.fixture(scope="session")
def cluster(services: Services) -> postgres.Cluster:
    port = services.state.ports(("postgres",))["postgres"]
    cluster = postgres.Cluster(services.state.folder, port, PASSWORD)
    cluster.initialise()
    services.run(cluster.part(services.state.logs / "postgres.log"), cluster.is_ready)
    cluster.create_databases(PASSWORD, PASSWORD)
    with cluster.connect("postgres") as connection:
        postgres.create_database(connection, _TEMPLATE, owner="migrator")
    upgrade(postgres_settings(cluster, _TEMPLATE))
    return cluster


def postgres_settings(cluster: postgres.Cluster, database: str) -> PostgresSettings:
    passwords = {
        f"{role}_password": PASSWORD
        for role in ("migrator", "pipeline", "transformer", "bi_reader")
    }
    values = {"host": "127.0.0.1", "port": cluster.port, "database": database, **passwords}
    return PostgresSettings.model_validate(values)


def put_in_environment(
    monkeypatch: pytest.MonkeyPatch, cluster: postgres.Cluster, database: str
) -> None:
    """For what reads settings, child processes included."""
    monkeypatch.setenv("POSTGRES_HOST", "127.0.0.1")
    monkeypatch.setenv("POSTGRES_PORT", str(cluster.port))
    monkeypatch.setenv("POSTGRES_DATABASE", database)
    for role in ("MIGRATOR", "PIPELINE", "TRANSFORMER", "BI_READER"):
        monkeypatch.setenv(f"POSTGRES_{role}_PASSWORD", PASSWORD)


@pytest.fixture
def database(
    cluster: postgres.Cluster, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PostgresSettings]:
    """A fresh database with the schema, also in the environment, for what reads settings."""
    name = f"test_{uuid.uuid4().hex}"
    with cluster.connect("postgres") as connection:
        connection.execute(f"create database {name} template {_TEMPLATE} owner migrator")
    put_in_environment(monkeypatch, cluster, name)
    yield postgres_settings(cluster, name)
    with cluster.connect("postgres") as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def connection(database: PostgresSettings) -> Iterator[Connection]:
    with connect(database, "test") as connection:
        yield connection


@pytest.fixture(scope="session")
def emulator_host(services: Services) -> str:
    port = services.state.ports(("emulator",))["emulator"]
    host = f"127.0.0.1:{port}"
    part = emulator.part(port, services.state.logs / "emulator.log", LocalSettings())
    services.run(part, lambda: emulator.answers(host))
    return host


@pytest.fixture
def broker(emulator_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[GooglePubsub]:
    """Topic and subscription in a project of this test's own."""
    settings: PubsubSettings = emulator.prepare(emulator_host, previous_project=None)
    monkeypatch.setenv("PUBSUB_PROJECT_ID", settings.project_id)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", emulator_host)
    with GooglePubsub(settings) as broker:
        yield broker


@pytest.fixture
def proxy(
    broker: GooglePubsub, emulator_host: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Proxy]:
    """A gRPC proxy before the emulator that refuses what a test asks; also in the environment."""
    with open_proxy(emulator_host) as proxy:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", proxy.host)
        yield proxy


@dataclass
class Analyst:
    """The offline analyst as a test sees it."""

    settings: LlmSettings

    def served(self) -> int:
        return int(requests.get(f"{self._root}/served", timeout=5).json()["completions"])

    def fail_with(self, *faults: dict[str, object]) -> None:
        assert requests.post(f"{self._root}/faults", json=faults, timeout=5).status_code == 204

    def recover(self) -> None:
        requests.delete(f"{self._root}/faults", timeout=5)

    @property
    def _root(self) -> str:
        return self.settings.base_url.removesuffix("/v1")


@pytest.fixture(scope="session")
def analyst_port(services: Services) -> int:
    port = services.state.ports(("analyst",))["analyst"]
    part = analyst_part.part(port, services.state.logs / "analyst.log")
    services.run(part, lambda: analyst_part.is_ready(port))
    return port


@pytest.fixture
def analyst(analyst_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Analyst]:
    """The analyst without faults, also in the environment, with short waits."""
    environment = analyst_part.environment(analyst_port)
    environment |= {"LLM_TIMEOUT_SECONDS": "2", "LLM_MAX_ATTEMPTS": "3"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    analyst = Analyst(LlmSettings.load())
    analyst.recover()
    yield analyst
    analyst.recover()


OpenStub = Callable[..., AbstractContextManager[int]]
"""From the options of benchmarks/stub/server.py to the port of a stub that nobody used."""


@pytest.fixture
def open_stub(services: Services) -> OpenStub:
    @contextmanager
    def opened(*options: str) -> Iterator[int]:
        port = services.state.ports(("stub",))["stub"]
        part = stub.part(port, services.state.logs / "stub.log", *options)
        process = services.run(part, lambda: stub.is_ready(port))
        try:
            yield port
        finally:
            process.kill()
            process.wait()

    return opened


_message_ids = itertools.count(1)


def next_message_id() -> str:
    """A message id that no other message of this test process has."""
    return str(next(_message_ids))
