"""SIGKILL after a message was taken and before that is marked: none is lost, one is repeated."""

import os
import signal
import subprocess
import sys
from collections import Counter

import pytest

from orchestration.publishing.notifications import unsent
from orchestration.resources.postgres import Connection
from orchestration.settings import CRASH_POINT_VARIABLE, REPOSITORY
from tests.publishing.marts import Marts
from tests.publishing.one_tick import tick
from tests.publishing.receivers import Receiver

pytestmark = pytest.mark.slow


def test_a_kill_between_send_and_mark_loses_nothing_and_repeats_one_message_under_its_id(
    connection: Connection, marts: Marts, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERTS_WEBHOOK_URL", f"{receiver.url}/json")
    monkeypatch.setenv("ALERTS_SLACK_WEBHOOK_URL", f"{receiver.url}/slack")
    marts.refreshed()
    tick()
    marts.pair("acme", 80, new_events=80)
    marts.refreshed()
    died = subprocess.run(
        [sys.executable, "-m", "tests.publishing.one_tick"],
        env={**os.environ, CRASH_POINT_VARIABLE: "after_send_before_mark"},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert len(receiver.requests) == 1
    assert "1 messages sent" in tick(), "the other channel does not wait for the lease"
    assert "sent" not in tick()
    connection.execute("update risk.notifications set available_at = now()")
    assert "1 messages sent" in tick()
    assert unsent(connection, ()) == {"dead": 0, "orphaned": 0}
    counts = Counter(request.path for request in receiver.requests)
    assert sorted(counts.values()) == [1, 2]
    repeated = [one for one in receiver.requests if counts[one.path] == 2]
    assert repeated[0].body == repeated[1].body
