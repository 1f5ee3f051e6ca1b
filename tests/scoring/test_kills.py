"""SIGKILL in the middle of a thousand calls: what the endpoint counted, the ledger knows."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from benchmarks.stub import part as stub
from orchestration.resources.postgres import Connection, one
from orchestration.scoring.checks import violations
from orchestration.scoring.session import most_started, most_unsaved
from orchestration.settings import REPOSITORY, LlmSettings
from tests.after_a_crash import let_leases_end
from tests.conftest import OpenStub
from tests.scoring.books import attempts_of_questions, land_numbered, outcomes, tokens
from tests.scoring.scenario import run
from tests.scoring.test_run import totals

_PATIENCE_SECONDS = 120.0
_POLL_SECONDS = 0.005
_LATENCY_MS = "20"
_OPEN = "finished_at is null"


@pytest.fixture
def port(open_stub: OpenStub, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    with open_stub("--latency-ms", _LATENCY_MS) as port:
        llm = stub.settings(port)
        monkeypatch.setenv("LLM_BASE_URL", llm.base_url)
        monkeypatch.setenv("LLM_API_KEY", llm.api_key.get_secret_value())
        monkeypatch.setenv("LLM_MODEL", llm.model)
        yield port


def kill_when_received(port: int, count: int, run_id: str) -> None:
    """A run in a process of its own, dead by the time that the endpoint read so many requests."""
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.scoring.one_run", run_id]
    with subprocess.Popen(command, cwd=REPOSITORY) as process:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while stub.served(port)["received"] < count:
            assert process.poll() is None, "it ended before it could be killed"
            if time.monotonic() > deadline:
                process.send_signal(signal.SIGABRT)  # it prints where it stands
                pytest.fail(f"the endpoint is not asked {count} times")
            time.sleep(_POLL_SECONDS)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while stub.served(port)["in_flight"]:
        assert time.monotonic() < deadline, "requests of a dead process are still answered"


@dataclass
class Kills:
    """What each kill lost: answers that the endpoint gave and nobody saved."""

    connection: Connection
    port: int
    lost: list[int] = field(default_factory=list)

    def at(self, moments: Sequence[int]) -> None:
        for number, moment in enumerate(moments):
            kill_when_received(self.port, moment, f"killed-{number}")
            self._wait_for_its_last_commit()
            answered = stub.served(self.port)["answered"]
            self.lost.append(answered - outcomes(self.connection)["ok"] - sum(self.lost))
            let_leases_end(self.connection)

    def _wait_for_its_last_commit(self) -> None:
        """What PostgreSQL was told before the kill is done, and its session is over."""
        alive = "select count(*) as n from pg_stat_activity where application_name = 'one_run'"
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while one(self.connection, alive)["n"]:
            assert time.monotonic() < deadline, "PostgreSQL still serves a dead process"
            time.sleep(_POLL_SECONDS)


def assert_books_agree(connection: Connection, port: int, kills: int, lost: int) -> None:
    """By question and in all. An attempt may have been committed and its request never sent."""
    received, answered = (
        {question: count for question, count in counts.items() if "risk_findings" in question}
        for counts in stub.questions(port).values()
    )
    attempts = attempts_of_questions(connection)
    unknown = attempts_of_questions(connection, _OPEN)
    assert attempts.keys() == received.keys() == answered.keys()
    for question, started in attempts.items():
        saved = started - unknown[question]
        assert saved == 1 <= answered[question] <= received[question] <= started
    assert sum(answered.values()) == len(attempts) + lost
    never_sent = attempts.total() - sum(received.values())
    assert 0 <= never_sent <= kills * most_started(LlmSettings.load().concurrency)


def kill_and_restart(connection: Connection, port: int, number: int, moments: list[int]) -> None:
    land_numbered(connection, number)
    kills = Kills(connection, port)
    kills.at(moments)
    run(connection, LlmSettings.load(), run_id="last")
    assert totals(connection) == {"scored": number}
    assert violations(connection) == {}
    concurrency = LlmSettings.load().concurrency
    assert all(0 <= lost <= most_unsaved(concurrency) for lost in kills.lost), kills.lost
    found = outcomes(connection)
    assert found.keys() == {"ok", None}
    assert found["ok"] == number + 1  # and the brief
    assert found[None] <= len(moments) * most_unsaved(concurrency)
    counts = stub.served(port)
    assert counts["answered"] == found["ok"] + sum(kills.lost)
    assert_books_agree(connection, port, len(moments), sum(kills.lost))
    if not any(kills.lost):
        assert tokens(connection) == (counts["input_tokens"], counts["output_tokens"])


def test_after_a_kill_the_ledger_and_the_endpoint_agree_on_every_call(
    connection: Connection, port: int
) -> None:
    kill_and_restart(connection, port, 120, [60])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_of_a_thousand_calls_each_of_four_kills_repeats_the_unsaved_group_at_most(
    connection: Connection, port: int, seed: int
) -> None:
    moments = sorted(random.Random(seed).sample(range(1, 950), 4))  # noqa: S311
    kill_and_restart(connection, port, 1_000, moments)
