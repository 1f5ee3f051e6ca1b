"""Looks while marts are built, swapped, not there, or looked at by another tick."""

import threading
import time

from orchestration.publishing.alerts_noticing import NOT_BUILT, Look, look
from orchestration.resources.postgres import Connection, connect
from orchestration.settings import AlertSettings, PostgresSettings, SupersetSettings
from tests.migrations.test_roles import connect_as
from tests.publishing.looking import says, seen
from tests.publishing.marts import Marts


def test_nothing_is_looked_at_before_a_refresh_or_while_one_is_under_way(
    connection: Connection, marts: Marts
) -> None:
    seen(connection, marts)
    marts.pair("acme", 80)
    unchanged = look(connection, AlertSettings(), SupersetSettings())
    assert unchanged == Look(0, "the marts are those of the last look")
    marts.begun()
    under_way = look(connection, AlertSettings(), SupersetSettings())
    assert "being refreshed" in under_way.reason
    assert seen(connection, marts).alerts == 1


def test_two_looks_at_once_tell_once(
    connection: Connection, marts: Marts, database: PostgresSettings
) -> None:
    seen(connection, marts)
    for number in range(300):
        marts.pair(f"s{number}", 80)
    marts.refreshed()
    counts = []

    def one_look() -> None:
        with connect(database, "a look") as own:
            counts.append(look(own, AlertSettings(), SupersetSettings()).alerts)

    threads = [threading.Thread(target=one_look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0, 0, 0, 300]
    assert len(says(connection)) == 300


def test_while_a_mart_is_locked_for_long_nothing_is_looked_at(
    connection: Connection, marts: Marts, database: PostgresSettings
) -> None:
    marts.pair("acme", 80)
    seen(connection, marts)
    marts.refreshed()
    with connect_as(database, "transformer") as owner, owner.transaction():
        owner.execute("lock table marts.risk_events in access exclusive mode")
        assert look(connection, AlertSettings(), SupersetSettings()).reason == (
            "the marts are being refreshed"
        )
    assert look(connection, AlertSettings(), SupersetSettings()) == Look(0)


def test_a_table_that_dbt_swaps_meanwhile_is_waited_for_and_never_seen_empty(
    connection: Connection, marts: Marts, database: PostgresSettings
) -> None:
    """Rows of the new table are younger than a snapshot that was taken before the swap."""
    marts.pair("acme", 80)
    seen(connection, marts)
    marts.refreshed()
    looks: list[Look] = []

    def one_look() -> None:
        with connect(database, "a look") as own:
            looks.append(look(own, AlertSettings(), SupersetSettings()))

    thread = threading.Thread(target=one_look)
    with connect_as(database, "transformer") as owner, owner.transaction():
        owner.execute("alter table marts.supplier_risk_current rename to swapped")
        owner.execute("create table marts.supplier_risk_current as table marts.swapped")
        owner.execute("grant select on marts.supplier_risk_current to pipeline")
        thread.start()
        wait_until_somebody_waits_for_a_lock(connection)
    thread.join()
    assert looks == [Look(0)]
    assert connection.execute("select band from risk.seen_bands").fetchall() == [
        {"band": "critical"}
    ]


def wait_until_somebody_waits_for_a_lock(connection: Connection) -> None:
    deadline = time.monotonic() + 10
    while not connection.execute("select from pg_locks where not granted").fetchall():
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.01)


def test_marts_that_are_not_built_or_not_yet_readable_are_no_failure(
    connection: Connection, marts: Marts
) -> None:
    marts.execute("revoke select on intermediate.last_refresh from pipeline")
    assert look(connection, AlertSettings(), SupersetSettings()).reason == NOT_BUILT
    marts.execute("drop table intermediate.last_refresh")
    assert look(connection, AlertSettings(), SupersetSettings()).reason == NOT_BUILT
