"""SIGKILL at each named point: after a restart everything is there once, paid for and reported."""

import os
import signal
import subprocess
import sys
import time
from typing import get_args

import pytest

from orchestration.crash_points import CrashPoint
from orchestration.ingestion.message import Document
from orchestration.ingestion.suppliers import load
from orchestration.resources.postgres import Connection, one
from orchestration.resources.pubsub import GooglePubsub
from orchestration.scoring.checks import violations
from orchestration.settings import CRASH_POINT_VARIABLE, REPOSITORY
from tests.after_a_crash import give_up_soon, let_leases_end
from tests.conftest import Analyst
from tests.one_pass import one_pass
from tests.scoring.scenario import ACME, BANKRUPTCY, BETA, RECALL

pytestmark = pytest.mark.slow

_PATIENCE_SECONDS = 90.0
NEWS = [
    Document(text=RECALL, external_id="a").to_json(),
    Document(text=RECALL, external_id="copy of a").to_json(),
    Document(text="Acme recalls pumps in Peru.", external_id="b").to_json(),
    Document(text="Acme recalls pumps in Chile.", external_id="b", version=2).to_json(),
    Document(text=BANKRUPTCY, external_id="c").to_json(),
    Document(text="Nobody is named.", external_id="d").to_json(),
    b"no document",
]
EXPECTED = {"duplicate": 1, "superseded": 1, "scored": 3, "no_supplier": 1, "rejected": 1}
PAIRS = {"acme@MX", "acme@CL", "beta@DE"}


@pytest.fixture
def published(broker: GooglePubsub, connection: Connection) -> set[str]:
    """The ids of the published messages, on a subscription that gives up on a reader soon."""
    load(connection, [ACME, BETA])
    give_up_soon(broker)
    return {broker.publish(data, {"batch_id": "crash"}).result(10) for data in NEWS}


def die_at(point: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.one_pass"],
        env={**os.environ, CRASH_POINT_VARIABLE: point},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def run_until_quiet(connection: Connection, expected: set[str]) -> set[str]:
    """Passes until every message is in a final state; returns the pairs that were reported."""
    reported: set[str] = set()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        reported |= one_pass()
        open_ones = one(
            connection,
            "select count(*) filter (where state = 'pending') as pending, count(*) as received"
            " from risk.message_states",
        )
        if open_ones == {"pending": 0, "received": len(expected)}:
            return reported
        assert time.monotonic() < deadline, open_ones


# what people are told is no part of a pass; tests/publishing/test_alerts_crash.py dies there
_OF_A_PASS = [point for point in get_args(CrashPoint) if point != "after_send_before_mark"]


@pytest.mark.parametrize("point", _OF_A_PASS)
def test_nothing_is_lost_or_done_twice_after_a_kill(
    point: str,
    published: set[str],
    connection: Connection,
    analyst: Analyst,
) -> None:
    served = analyst.served()
    die_at(point)
    let_leases_end(connection)
    reported = run_until_quiet(connection, published)
    landed = connection.execute("select message_id from ingest.messages")
    assert {row["message_id"] for row in landed} == published
    states = connection.execute("select state, count(*) as n from risk.message_states group by 1")
    assert {row["state"]: row["n"] for row in states} == EXPECTED
    assert reported == PAIRS
    assert violations(connection) == {}
    assessed = one(connection, "select count(*) as n from risk.assessments")
    assert assessed["n"] == 3
    paid = one(
        connection,
        "select count(*) as attempts,"
        " count(*) filter (where outcome is null or outcome = 'abandoned') as lost"
        " from llm.attempts",
    )
    calls = analyst.served() - served
    # of three documents: whom each is about, its finding, its brief; what was under way when the
    # process died is asked once more
    assert calls <= 9 + paid["lost"]
    assert paid["attempts"] >= calls
    if point not in {"after_attempt_started", "after_response_before_save"}:
        assert (calls, paid) == (9, {"attempts": 9, "lost": 0})


def test_a_point_can_be_armed_for_a_later_time(
    published: set[str], connection: Connection, analyst: Analyst
) -> None:
    die_at("after_claim:2")
    done = one(connection, "select count(*) as n from risk.work_items where state = 'done'")
    assert done["n"] > 0
