"""Faults of every kind among many calls: each item ends well or dead, and the books say why."""

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from benchmarks.stub import part as stub
from benchmarks.stub.faults import KINDS
from orchestration.resources.postgres import Connection
from orchestration.scoring.checks import violations
from orchestration.settings import LlmSettings
from tests.conftest import OpenStub
from tests.scoring.books import land_numbered, outcomes
from tests.scoring.scenario import run, wake
from tests.scoring.test_run import totals

LEDGER_SAYS = {
    "rate_limited": "rate_limited",
    "rate_limited_without_a_word": "rate_limited",
    "server_error": "server_error",
    "unavailable": "server_error",
    "hang": "timeout",
    "slow": "ok",
    "dropped": "connection",
    "reset": "connection",
    "closed_half_way": "connection",
    "empty_body": "unreadable",
    "malformed_body": "unreadable",
    "body_that_is_no_json": "unreadable",
    "truncated": "truncated",
    "endless": "truncated",
    "refusal": "refusal",
    "content_filter": "content_filter",
    "invalid_json": "schema_invalid",
    "schema_breaking": "schema_invalid",
    "huge": "schema_invalid",
}
DEADLY = ("unreadable", "refusal", "content_filter")
_ROUNDS = 6  # one more than an item may fail


@contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    """What hangs fails the test."""

    def give_up(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"it has not ended after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run_to_the_end(connection: Connection, llm: LlmSettings) -> None:
    for number in range(_ROUNDS):
        run(connection, llm, run_id=f"run-{number}")
        if "pending" not in totals(connection):
            return
        wake(connection)


def reasons(connection: Connection) -> Counter[str]:
    """Why the dead are dead; each says so in a sentence."""
    rows = connection.execute(
        "select last_error_class, last_error from risk.work_items where state = 'dead'"
    ).fetchall()
    assert all(row["last_error"] for row in rows)
    return Counter(row["last_error_class"] for row in rows)


def test_every_fault_of_the_stub_has_its_class_in_the_ledger() -> None:
    assert LEDGER_SAYS.keys() == set(KINDS)


@pytest.mark.parametrize(
    ("number", "each", "seconds"),
    [(80, 2, 60), pytest.param(2_000, 10, 300, marks=pytest.mark.slow)],
)
def test_faults_of_every_kind_end_with_every_item_scored_or_dead_with_its_reason(
    connection: Connection, open_stub: OpenStub, number: int, each: int, seconds: float
) -> None:
    land_numbered(connection, number)
    options = ("--latency-ms", "5", "--each", str(each), "--among", str(number), "--seed", "11")
    with open_stub(*options) as port:
        llm = stub.settings(port, concurrency=32, timeout_seconds=1.5)
        with ends_within(seconds):
            run_to_the_end(connection, llm)
        counts = stub.served(port)
    assert counts["faults"] == dict.fromkeys(KINDS, each)

    expected = Counter[str]()
    for kind, outcome in LEDGER_SAYS.items():
        expected[outcome] += counts["faults"][kind]
    found = outcomes(connection)
    assert found.total() == counts["received"]
    assert {**found, "ok": 0} == {**expected, "ok": 0}
    assert (
        found["ok"]
        + sum(found[name] for name in ("truncated", "schema_invalid", "refusal", "content_filter"))
        == counts["answered"]
    )

    dead = reasons(connection)
    assert dead.keys() <= {*DEADLY, "truncated", "schema_invalid"}
    assert {name: dead[name] for name in DEADLY} == {name: expected[name] for name in DEADLY}
    assert totals(connection) == {"scored": number - dead.total(), "dead": dead.total()}
    assert violations(connection) == {}
