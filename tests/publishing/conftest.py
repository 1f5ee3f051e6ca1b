"""Real marts, built by dbt once for a test process; receivers that keep what they are sent; a
bundle that a test may spoil."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.local import postgres
from orchestration.settings import PostgresSettings
from tests.conftest import postgres_settings, put_in_environment
from tests.migrations.test_roles import connect_as
from tests.publishing.bundles import Files
from tests.publishing.marts import AS_OF, Marts
from tests.publishing.receivers import Mailbox, Receiver, mailbox_open, receiver_open
from tests.publishing.superset_receiver import PASSWORD, USER, SupersetReceiver, receiving
from tests.transformation.building import build
from tests.transformation.world import World

_BUILT = "built_for_alerts"
_EMPTY = "template_for_tests"


@pytest.fixture(scope="session")
def built(cluster: postgres.Cluster) -> str:
    """The name of a database whose marts are built and empty."""
    with cluster.connect("postgres") as connection:
        connection.execute(f"create database {_BUILT} template {_EMPTY} owner migrator")
    with pytest.MonkeyPatch.context() as patch:
        put_in_environment(patch, cluster, _BUILT)
        build(AS_OF)
    return _BUILT


@pytest.fixture
def database(
    cluster: postgres.Cluster, built: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> Iterator[PostgresSettings]:
    """A copy of it, also in the environment."""
    name = f"alerts_{abs(hash(tmp_path))}"
    with cluster.connect("postgres") as connection:
        connection.execute(f"create database {name} template {built} owner migrator")
    put_in_environment(monkeypatch, cluster, name)
    yield postgres_settings(cluster, name)
    with cluster.connect("postgres") as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def marts(database: PostgresSettings) -> Iterator[Marts]:
    with connect_as(database, "transformer") as owner:
        yield Marts(owner)


@pytest.fixture
def world(database: PostgresSettings) -> Iterator[World]:
    with connect_as(database, "migrator") as owner:
        yield World(owner)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiver_open() as receiver:
        yield receiver


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mailbox_open() as mailbox:
        yield mailbox


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files.good(tmp_path)


@pytest.fixture
def superset(monkeypatch: pytest.MonkeyPatch) -> Iterator[SupersetReceiver]:
    with receiving() as receiver:
        monkeypatch.setenv("SUPERSET_URL", receiver.url)
        monkeypatch.setenv("SUPERSET_USERNAME", USER)
        monkeypatch.setenv("SUPERSET_PASSWORD", PASSWORD)
        yield receiver
