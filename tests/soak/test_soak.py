"""The soak: everything at once, for as long as asked, and in the end each message is there once.

`make soak` runs it for five minutes; with `--soak-seed` the same disturbances come again.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from orchestration.errors import SupplierRiskError
from orchestration.ingestion.dead_letters import Filter, find, redrive
from orchestration.ingestion.suppliers import load
from orchestration.local import emulator, postgres
from orchestration.migrations import upgrade
from orchestration.resources.postgres import Connection, connect, one
from orchestration.resources.pubsub import GooglePubsub
from orchestration.scoring.checks import violations
from orchestration.settings import PostgresSettings
from tests.after_a_crash import give_up_soon, let_leases_end
from tests.conftest import PASSWORD, Analyst, Services, postgres_settings, put_in_environment
from tests.one_pass import one_pass
from tests.pubsub_proxy import proxy_part
from tests.scoring.scenario import ACME, BETA, wake
from tests.soak.chaos import Chaos, Processes, Server
from tests.soak.news import Publisher
from tests.soak.proxy import Proxy

pytestmark = pytest.mark.slow

_DATABASE = "soak"
_QUIET_SECONDS = 200.0
_COMMANDS = {
    "sensor and run": ("tests.one_pass", "forever"),
    "worker": ("orchestration.cli", "ingest"),
}


@dataclass
class World:
    """What the soak shakes."""

    server: Server
    settings: PostgresSettings
    proxy: Proxy


@pytest.fixture
def world(
    services: Services,
    broker: GooglePubsub,
    emulator_host: str,
    analyst: Analyst,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """PostgreSQL of its own, and all that reads settings led to it and through the proxies."""
    port = services.state.ports(("soak-postgres",))["soak-postgres"]
    cluster = postgres.Cluster(services.state.folder / "soak", port, PASSWORD)
    cluster.initialise()
    server = Server(services, cluster)
    cluster.create_databases(PASSWORD, PASSWORD)
    with cluster.connect("postgres") as connection:
        postgres.create_database(connection, _DATABASE, owner="migrator")
    settings = postgres_settings(cluster, _DATABASE)
    upgrade(settings)
    with connect(settings, "soak") as connection:
        load(connection, [ACME, BETA])
    put_in_environment(monkeypatch, cluster, _DATABASE)
    give_up_soon(broker)
    proxy = Proxy(_ends_streams(services, emulator_host))
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", proxy.host)
    yield World(server, settings, proxy)
    proxy.close()
    server.stop()


def _ends_streams(services: Services, emulator_host: str) -> str:
    """Host and port of the proxy that ends the streams of the killed."""
    port = services.state.ports(("soak-proxy",))["soak-proxy"]
    host = f"127.0.0.1:{port}"
    log = services.state.logs / "soak-proxy.log"
    services.run(proxy_part(emulator_host, port, log), lambda: emulator.answers(host))
    return host


def test_whatever_happens_each_message_lands_once_and_is_scored_once(
    pytestconfig: pytest.Config,
    services: Services,
    broker: GooglePubsub,
    analyst: Analyst,
    world: World,
) -> None:
    seed = pytestconfig.getoption("--soak-seed")
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    print(f"\nsoak with --soak-seed {seed}")
    served = analyst.served()
    publisher = Publisher(broker, seed)
    processes = Processes(_COMMANDS, services.stack_id)
    chaos = Chaos(seed, processes, world.server, world.proxy, analyst)
    publisher.start()
    chaos.start()
    time.sleep(pytestconfig.getoption("--soak-seconds"))
    publisher.stop()
    chaos.stop()
    processes.stop()
    with connect(world.settings, "soak") as connection:
        quiet(connection, broker, publisher.confirmed)
        report(connection, publisher, chaos, analyst.served() - served)
        assert_nothing_is_lost(connection, publisher)
        assert_nothing_is_twice(connection, analyst.served() - served)
        assert violations(connection) == {}


def quiet(connection: Connection, broker: GooglePubsub, confirmed: dict[str, bytes]) -> None:
    """Passes until all has landed and nothing is open; what died of LLM faults is redriven."""
    deadline = time.monotonic() + _QUIET_SECONDS
    while time.monotonic() < deadline:
        let_leases_end(connection)
        wake(connection)
        connection.execute("delete from llm.open_circuits")
        try:
            one_pass()
        except SupplierRiskError as error:
            print(error)
        dead = find(connection, Filter())
        items = [row["dead_letter_id"] for row in dead if row["step"] != "landing"]
        redrive(connection, broker, items)
        if not items and is_quiet(connection, len(confirmed)):
            return
    raise AssertionError(
        f"not quiet within {_QUIET_SECONDS:.0f} s: {len(confirmed)} published, "
        f"{counts(connection)}; not landed: {not_landed(connection, confirmed)}"
    )


def is_quiet(connection: Connection, messages: int) -> bool:
    """Whether all messages are there, and nothing waits for anything."""
    found = counts(connection)
    waiting = one(
        connection,
        "select (select count(*) from risk.work_items where state in ('pending', 'claimed'))"
        " + (select count(*) from risk.unreported_pairs) as n",
    )
    return sum(found.values()) == messages and not found["pending"] and not waiting["n"]


def not_landed(connection: Connection, confirmed: dict[str, bytes]) -> set[str]:
    rows = connection.execute("select message_id from ingest.messages")
    return set(confirmed) - {row["message_id"] for row in rows}


def counts(connection: Connection) -> Counter[str]:
    rows = connection.execute("select state, count(*) as n from risk.message_states group by 1")
    return Counter({row["state"]: row["n"] for row in rows})


def assert_nothing_is_lost(connection: Connection, publisher: Publisher) -> None:
    assert not_landed(connection, publisher.confirmed) == set()
    landed = one(connection, "select count(*) as n from ingest.messages")
    assert landed["n"] == len(publisher.confirmed)
    rows = connection.execute(
        "select external_id, version, superseded_by is null as is_current from ingest.documents"
    )
    found = {(row["external_id"], row["version"]): row["is_current"] for row in rows}
    newest: dict[str, int] = {}
    for name, version in publisher.documents:
        newest[name] = max(version, newest.get(name, 0))
    assert found == {
        (name, version): version == newest[name] for name, version in publisher.documents
    }


def assert_nothing_is_twice(connection: Connection, calls: int) -> None:
    """Each request has one good answer; calls that were repeated are attempts without one."""
    ledger = one(
        connection,
        "select count(*) as attempts, count(*) filter (where outcome = 'ok') as ok,"
        " count(distinct cache_key) filter (where outcome = 'ok') as answered"
        " from llm.attempts",
    )
    assert ledger["ok"] == ledger["answered"]
    assert ledger["attempts"] >= calls
    assert counts(connection)["dead"] == 0


def report(connection: Connection, publisher: Publisher, chaos: Chaos, calls: int) -> None:
    """What docs/reliability.md shows."""
    redelivered = one(
        connection, "select sum(delivery_count - 1)::bigint as n from ingest.messages"
    )
    without = one(
        connection,
        "select count(*) as n from llm.attempts where outcome is distinct from 'ok'",
    )
    rows = {
        "messages published": len(publisher.confirmed),
        **chaos.counts,
        "deliveries repeated": redelivered["n"],
        "calls to the LLM": calls,
        "attempts without a good answer": without["n"],
        **{f"ended as {state}": n for state, n in sorted(counts(connection).items())},
    }
    for name, number in rows.items():
        print(f"{number:>9,}  {name}")
