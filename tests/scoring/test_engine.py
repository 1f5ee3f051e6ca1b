"""The engine over real HTTP: each answer paid once, each attempt a row, each failure its class."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from orchestration.resources.llm import EndpointRefuses, Reply
from orchestration.resources.postgres import Connection, one
from orchestration.scoring import ledger, prompts
from orchestration.scoring.asking import Asking
from orchestration.scoring.attempts import Attempt
from orchestration.scoring.calls import Answer, Call
from orchestration.scoring.engine import answer_all, answer_stream
from orchestration.scoring.prices import reply_usd
from orchestration.settings import LlmSettings
from tests.conftest import Analyst
from tests.scoring.endpoint import completion, endpoint, quoting


@pytest.fixture
def item_id(connection: Connection) -> int:
    """A work item to ask for."""
    prompts.register(connection, prompts.RISK_FINDINGS)
    row = one(
        connection,
        "insert into risk.work_items (subject_type, subject_id, step)"
        " values ('document', gen_random_uuid(), 'mentions') returning item_id",
    )
    return int(row["item_id"])


def call(settings: LlmSettings, item_id: int, text: str = "Acme recalls valves.") -> Call:
    places = {
        "document": prompts.delimited(text),
        "supplier": "Acme",
        "country": "United States (US)",
    }
    return Call(item_id, prompts.RISK_FINDINGS, places, settings)


def ask(connection: Connection, *calls: Call) -> list[Answer]:
    answers = answer_all(connection, calls[0].llm, calls, "run-1")
    return [answers[call.cache_key] for call in calls]


def asking(call: Call) -> Asking:
    return Asking(call)


def attempts(connection: Connection) -> list[tuple[Any, ...]]:
    rows = connection.execute(
        "select outcome, http_status, cost_usd from llm.attempts order by attempt_id"
    )
    return [tuple(row.values()) for row in rows]


def test_an_answer_is_checked_kept_and_counted(
    connection: Connection, analyst: Analyst, item_id: int
) -> None:
    (answer,) = ask(connection, call(analyst.settings, item_id))
    assert answer.outcome == "ok"
    assert answer.reply.findings[0].event_type == "recall"
    assert (answer.calls, answer.cost_usd) == (1, Decimal(0))
    row = one(connection, "select * from llm.attempts")
    assert (row["outcome"], row["http_status"], row["item_id"]) == ("ok", 200, item_id)
    assert row["input_tokens"] > 100
    assert row["request_id"].startswith("chatcmpl-")
    kept = one(connection, "select * from llm.responses")
    assert (kept["response_id"], kept["finish_reason"]) == (answer.response_id, "stop")
    assert kept["answer"].encode() in kept["raw_body"].replace(b'\\"', b'"')
    request = one(connection, "select * from llm.requests")
    assert request["messages"][1]["content"].count("Acme recalls valves.") == 1
    assert call(analyst.settings, item_id).cache_key == request["cache_key"]


def test_equal_calls_are_paid_once_and_known_answers_not_at_all(
    connection: Connection, analyst: Analyst, item_id: int
) -> None:
    before = analyst.served()
    one_call, same = (call(analyst.settings, item_id) for _ in range(2))
    first, second = ask(connection, one_call, same)
    (third,) = ask(connection, call(analyst.settings, item_id))
    assert analyst.served() - before == 1
    assert third.calls == 0
    assert third.reply == first.reply == second.reply
    assert len({answer.response_id for answer in (first, second, third)}) == 1
    assert len(attempts(connection)) == 1


def test_many_calls_are_answered_each_once(
    connection: Connection, analyst: Analyst, item_id: int
) -> None:
    before = analyst.served()
    calls = [call(analyst.settings, item_id, f"Acme recalls {n} valves.") for n in range(150)]
    answers = ask(connection, *calls)
    assert {answer.outcome for answer in answers} == {"ok"}
    assert analyst.served() - before == 150
    assert len(attempts(connection)) == 150
    quotes = {answer.reply.findings[0].quote for answer in answers}
    assert quotes == {f"Acme recalls {n} valves." for n in range(150)}


@pytest.mark.parametrize(
    ("fault", "outcomes"),
    [
        ({"kind": "rate_limit", "times": 1, "retry_after": 0.05}, ["rate_limited", "ok"]),
        ({"kind": "server_error", "times": 2}, ["server_error", "server_error", "ok"]),
        ({"kind": "hang", "times": 1}, ["timeout", "ok"]),
        ({"kind": "latency", "times": 1, "seconds": 0.2}, ["ok"]),
    ],
)
def test_a_transient_fault_is_tried_again_and_each_attempt_is_a_row(
    connection: Connection,
    analyst: Analyst,
    item_id: int,
    fault: dict[str, object],
    outcomes: list[str],
) -> None:
    analyst.fail_with(fault)
    settings = analyst.settings.model_copy(update={"timeout_seconds": 0.5})
    (answer,) = ask(connection, call(settings, item_id))
    assert answer.outcome == "ok"
    assert answer.calls == len(outcomes)
    assert [row[0] for row in attempts(connection)] == outcomes


def test_after_the_last_attempt_a_transient_fault_is_the_answer(
    connection: Connection, analyst: Analyst, item_id: int
) -> None:
    analyst.fail_with({"kind": "server_error"})
    (answer,) = ask(connection, call(analyst.settings, item_id))
    assert (answer.outcome, answer.is_transient, answer.calls) == ("server_error", True, 3)
    assert [row[1] for row in attempts(connection)] == [500, 500, 500]


SECOND_TRIES = [("cut_off", "truncated"), ("invalid_json", "schema_invalid")]


@pytest.mark.parametrize(("kind", "outcome"), SECOND_TRIES)
def test_an_answer_that_was_cut_off_or_is_no_json_is_asked_for_once_more(
    connection: Connection, analyst: Analyst, item_id: int, kind: str, outcome: str
) -> None:
    analyst.fail_with({"kind": kind, "times": 1})
    (answer,) = ask(connection, call(analyst.settings, item_id))
    assert (answer.outcome, answer.calls) == ("ok", 2)
    assert [row[0] for row in attempts(connection)] == [outcome, "ok"]
    sent = connection.execute(
        "select jsonb_array_length(messages) as n,"
        " (parameters->>'max_completion_tokens')::int as room from llm.attempts"
        " inner join llm.requests using (cache_key) order by attempt_id"
    ).fetchall()
    wanted = {"truncated": [(2, 4096), (2, 8192)], "schema_invalid": [(2, 4096), (4, 4096)]}
    assert [tuple(row.values()) for row in sent] == wanted[outcome]
    (again,) = ask(connection, call(analyst.settings, item_id))
    assert (again.outcome, again.calls, again.response_id) == ("ok", 0, answer.response_id)
    assert answer.response_id is not None
    shown = ledger.find_call(connection, answer.response_id)
    assert shown is not None
    assert len(shown["messages"]) == sent[1]["n"]
    assert [attempt["outcome"] for attempt in shown["attempts"]] == [outcome, "ok"]


@pytest.mark.parametrize(("kind", "outcome"), SECOND_TRIES)
def test_one_that_fails_so_twice_is_paid_twice_and_no_more(
    connection: Connection, analyst: Analyst, item_id: int, kind: str, outcome: str
) -> None:
    analyst.fail_with({"kind": kind})
    (answer,) = ask(connection, call(analyst.settings, item_id))
    assert (answer.outcome, answer.is_transient, answer.calls) == (outcome, False, 2)
    assert [row[0] for row in attempts(connection)] == [outcome, outcome]


@pytest.mark.parametrize("outcome", ["refusal", "content_filter"])
def test_an_answer_that_does_not_count_is_kept_paid_once_and_never_served_from_the_cache(
    connection: Connection, analyst: Analyst, item_id: int, outcome: str
) -> None:
    analyst.fail_with({"kind": outcome, "times": 1})
    (answer,) = ask(connection, call(analyst.settings, item_id))
    assert (answer.outcome, answer.is_transient, answer.reply) == (outcome, False, None)
    assert answer.detail
    kept = one(connection, "select outcome, raw_body from llm.responses")
    assert kept["outcome"] == outcome
    assert b"choices" in kept["raw_body"]
    (again,) = ask(connection, call(analyst.settings, item_id))
    assert again.outcome == "ok"
    assert [row[0] for row in attempts(connection)] == [outcome, "ok"]


class FailsToKeep:
    """Work with many calls that breaks at the first answer."""

    def __init__(self, calls: list[Call]) -> None:
        self._calls = calls

    def more(self) -> list[Call] | None:
        calls, self._calls = self._calls, []
        return calls or None

    def keep(self, answered: Sequence[tuple[Call, Answer]]) -> Sequence[Call]:
        raise RuntimeError("cannot keep it")

    def keep_alive(self) -> None:
        """Nothing is claimed."""


def test_a_session_that_breaks_sends_no_more_and_says_what_it_did_not_send(
    connection: Connection, analyst: Analyst, item_id: int
) -> None:
    settings = analyst.settings.model_copy(update={"concurrency": 8})
    calls = [call(settings, item_id, f"Acme recalls {n} valves.") for n in range(60)]
    calls.insert(0, call(settings, item_id, "Acme recalls a pump."))
    analyst.fail_with({"kind": "latency", "seconds": 5, "contains": "valves"})
    with pytest.raises(RuntimeError, match="cannot keep it"):
        answer_stream(connection, settings, "run-1", FailsToKeep(calls))
    ends = Counter(row[0] for row in attempts(connection))
    assert ends == {"ok": 1, None: 8, "not_sent": 3}


@pytest.mark.parametrize("odd", ["st\x00op", "st\ud83dop"])
def test_an_odd_word_beside_an_answer_does_not_keep_it_from_being_saved(
    connection: Connection, analyst: Analyst, item_id: int, odd: str
) -> None:
    def script(_: str) -> tuple[int, object]:
        answer: dict[str, Any] = quoting()
        answer["choices"][0]["finish_reason"] = odd
        return 200, answer

    with endpoint(script) as (url, _):
        settings = analyst.settings.model_copy(update={"base_url": url})
        (answer,) = ask(connection, call(settings, item_id))
    assert answer.calls == 1
    assert answer.response_id is not None


def test_a_request_that_cannot_be_kept_fails_alone(
    connection: Connection, analyst: Analyst, item_id: int
) -> None:
    good = [call(analyst.settings, item_id, f"Acme recalls {n} valves.") for n in range(3)]
    answers = ask(connection, *good, call(analyst.settings, item_id, "Acme\x00 recalls."))
    assert [answer.outcome for answer in answers] == ["ok", "ok", "ok", "internal_error"]
    assert "keeping the request" in answers[-1].detail
    assert [row[0] for row in attempts(connection)] == ["ok"] * 3


def test_an_answer_with_a_character_that_no_table_holds_is_repaired_like_others(
    connection: Connection, analyst: Analyst, item_id: int
) -> None:
    wish = "does not count"
    with endpoint(lambda p: (200, quoting() if wish in p else completion("\x00"))) as (url, _):
        settings = analyst.settings.model_copy(update={"base_url": url})
        (answer,) = ask(connection, call(settings, item_id))
    assert (answer.outcome, answer.calls) == ("ok", 2)


def test_an_answer_that_the_caller_finds_fault_with_does_not_count(
    connection: Connection, analyst: Analyst, item_id: int
) -> None:
    picky = dataclasses.replace(call(analyst.settings, item_id), check=lambda reply: "not this")
    (answer,) = ask(connection, picky)
    assert (answer.outcome, answer.detail) == ("schema_invalid", "not this")


def test_a_wrong_key_stops_everything_with_what_to_do(
    connection: Connection, analyst: Analyst, item_id: int
) -> None:
    analyst.fail_with({"kind": "unauthorized"})
    calls = [call(analyst.settings, item_id, f"Acme recalls {n}.") for n in range(40)]
    with pytest.raises(EndpointRefuses, match="LLM_API_KEY"):
        ask(connection, *calls)


def test_an_attempt_is_committed_before_its_call_and_closed_if_its_run_dies(
    connection: Connection, analyst: Analyst, item_id: int
) -> None:
    ledger.start_attempts(connection, [asking(call(analyst.settings, item_id))], "run-0", -1, {})
    row = one(connection, "select outcome, run_id from llm.attempts")
    assert tuple(row.values()) == (None, "run-0")
    assert ledger.close_abandoned(connection) == 1
    assert attempts(connection) == [("abandoned", None, None)]


def test_of_two_good_answers_to_one_request_the_first_counts(
    connection: Connection, analyst: Analyst, item_id: int
) -> None:
    asked = call(analyst.settings, item_id)
    ids = ledger.start_attempts(connection, [asking(asked), asking(asked)], "run-1", 60, {})
    body = Reply(b"{}", None, '{"relevance": 1, "findings": []}', None, "stop", 1, 0, 1)
    saved = [
        ledger.save(connection, [Attempt(i, asked.cache_key, "ok", latency_ms=1, reply=body)])[i]
        for i in ids
    ]
    assert saved[0] == saved[1]


@pytest.mark.parametrize(
    ("model", "prices", "cost"),
    [
        ("gpt-4o-mini", {}, Decimal("0.0009")),
        ("no-such-model", {}, None),
        (
            "no-such-model",
            {"input_usd_per_million": 1, "output_usd_per_million": 2},
            Decimal("0.004"),
        ),
    ],
)
def test_cost_is_computed_from_prices_or_said_to_be_unknown(
    model: str, prices: dict[str, float], cost: Decimal | None
) -> None:
    settings = LlmSettings.model_validate(
        {"base_url": "http://x", "api_key": "k", "model": model, **prices}
    )
    reply = Reply(b"", None, "", None, "stop", 2_000, 0, 1_000)
    assert reply_usd(settings, reply) == cost
