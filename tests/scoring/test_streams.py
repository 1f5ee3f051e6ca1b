"""One stream for each step: nothing waits for the slowest call, and an outage loses nothing."""

import itertools
import json
import threading
import time
from collections.abc import Sequence

import pytest

from orchestration.ingestion import circuit
from orchestration.resources.llm import EndpointRefuses, EndpointUnavailable
from orchestration.resources.postgres import Connection, one
from orchestration.scoring import briefs, mentions
from orchestration.scoring.calls import Answer, Call
from orchestration.scoring.checks import violations
from orchestration.scoring.engine import answer_stream
from orchestration.scoring.generations import open_stream
from orchestration.scoring.report import RunReport
from orchestration.scoring.steps import Run
from tests.conftest import Analyst
from tests.scoring.endpoint import Script, completion, endpoint
from tests.scoring.scenario import RECALL, land_hinted, land_texts, resolve, run, wake
from tests.scoring.test_engine import call
from tests.scoring.test_outage import patient, scripted
from tests.scoring.test_run import totals

COUNTRIES = ("Mexico", "Peru", "Chile", "Brazil", "Spain", "France")


def slow_for_one(slow: str, others: int, reply: object) -> tuple[Script, list[bool]]:
    """Answers the slow prompt when all others were asked; whether they were is in the list."""
    asked: set[str] = set()
    are_all_asked = threading.Event()
    seen: list[bool] = []

    def script(prompt: str) -> tuple[int, object]:
        if slow in prompt:
            seen.append(are_all_asked.wait(5))
        else:
            asked.add(prompt)
            if len(asked) == others:
                are_all_asked.set()
        return 200, completion(json.dumps(reply))

    return script, seen


def recalls() -> list[str]:
    return [f"Acme Corp recalls valves in {country}." for country in COUNTRIES]


def test_a_slow_document_holds_up_no_other(
    connection: Connection, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mentions, "CHUNK", 2)
    land_texts(connection, *recalls())
    script, seen = slow_for_one("in Mexico", 5, {"suppliers": [], "others": []})
    with endpoint(script) as (url, _):
        resolution = resolve(connection, scripted(analyst.settings, url))
    assert seen == [True]
    assert resolution.outcomes == {"mentioned": 6}
    assert (resolution.asked, resolution.spent.calls) == (6, 6)


def test_a_slow_brief_holds_up_no_other(
    connection: Connection, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(briefs, "CHUNK", 2)
    land_texts(connection, *recalls())
    run(connection, analyst.settings)
    generation = open_stream(connection, "scripted")
    pairs = connection.execute("select pair_id from risk.pairs").fetchall()
    briefs.renew(connection, [row["pair_id"] for row in pairs], generation)
    sentence = {"text": "Valves are recalled.", "cites": [1]}
    script, seen = slow_for_one("Mexico (MX)", 5, {"sentences": [sentence]})
    with endpoint(script) as (url, _):
        at_script = scripted(analyst.settings, url)
        briefs.write_pending(Run(connection, at_script, "run-2", generation, 5), RunReport())
    assert seen == [True]
    row = one(connection, "select count(*) as n from risk.current_briefs where run_id = 'run-2'")
    assert row["n"] == 6


class Reads:
    """Work that finds a call, then reads for a while and finds no more."""

    def __init__(self, first: Call) -> None:
        self._first = [first]
        self._turns = 0
        self.kept_after = 0

    def more(self) -> Sequence[Call] | None:
        self._turns += 1
        time.sleep(0.1)
        calls, self._first = self._first, []
        return calls if self._turns < 40 else None

    def keep(self, answered: Sequence[tuple[Call, Answer]]) -> Sequence[Call]:
        self.kept_after = self._turns
        return []

    def keep_alive(self) -> None:
        """Nothing is claimed."""


def test_an_answer_is_kept_while_what_needs_none_is_read(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, RECALL)
    open_stream(connection, analyst.settings.model)
    item = one(connection, "select item_id from risk.work_items")
    work = Reads(call(analyst.settings, item["item_id"]))
    answer_stream(connection, analyst.settings, "run-1", work)
    assert 0 < work.kept_after < 40


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, EndpointRefuses), (402, EndpointRefuses), (503, EndpointUnavailable)],
)
def test_an_outage_while_mentions_are_found_keeps_what_was_decided_and_says_what_to_do(
    connection: Connection,
    analyst: Analyst,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    error: type[Exception],
) -> None:
    monkeypatch.setattr(mentions, "CHUNK", 20)
    land_hinted(connection, RECALL)
    land_texts(connection, "Nobody is named.", *(f"Acme fire {n} in Peru." for n in range(70)))
    turns = itertools.count()

    def dies_after_ten(_: str) -> tuple[int, object]:
        if next(turns) >= 10:
            return status, {"error": {"message": "no more"}}
        return 200, completion(json.dumps({"suppliers": [], "others": []}))

    with endpoint(dies_after_ten) as (url, _):
        settings = scripted(analyst.settings, url)
        with pytest.raises(error, match="What to do"):
            resolve(connection, settings)
    paid = (
        "select count(*) as n from llm.responses inner join llm.requests using (cache_key)"
        " where step = 'supplier_mentions'"
    )
    assert one(connection, paid)["n"] == 10
    items = one(
        connection,
        "select count(*) filter (where outcome = 'no_supplier') as unread,"
        " count(*) filter (where outcome = 'mentioned') as mentioned,"
        " count(*) filter (where state = 'pending') as given_back, count(*) as all,"
        " sum(attempts) filter (where state = 'pending') as failed_beside_an_answer"
        " from risk.work_items where step = 'mentions'",
    )
    assert (items["unread"], items["all"]) == (1, 72)
    assert 1 < items["mentioned"] <= 11
    assert items["given_back"] == 71 - items["mentioned"]
    assert items["failed_beside_an_answer"] < settings.concurrency
    queued = one(connection, "select count(*) as n from risk.work_items where step = 'findings'")
    assert queued["n"] == items["mentioned"]
    obstacle = circuit.obstacle(connection, settings)
    assert obstacle is not None
    assert "What to do" in obstacle
    assert violations(connection) == {}
    wake(connection)
    result = run(connection, patient(analyst.settings, model="scripted"))
    assert result.violations == {}
    assert totals(connection) == {"scored": 71}
    assert one(connection, paid)["n"] == 70
