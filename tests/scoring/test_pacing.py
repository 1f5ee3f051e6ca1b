"""How fast and how many at once: rates that runs share, and a bound that gives way."""

import time
from typing import LiteralString

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.resources.llm import Limits
from orchestration.resources.postgres import Connection, connect, one
from orchestration.scoring.admission import Admission
from orchestration.scoring.generations import open_stream
from orchestration.scoring.pacing import BLOCK_SECONDS, Pace, forward
from orchestration.settings import LlmSettings, PostgresSettings
from tests.conftest import Analyst
from tests.scoring.scenario import RECALL, land_texts
from tests.scoring.test_engine import ask, call


@pytest.fixture
def limited(analyst: Analyst) -> LlmSettings:
    """Ten requests a second, and 1,000 tokens a second."""
    limits = {"requests_per_minute": 600, "tokens_per_minute": 60_000}
    return analyst.settings.model_copy(update=limits)


def test_a_run_takes_what_the_next_second_has_room_for(
    connection: Connection, limited: LlmSettings
) -> None:
    pace = Pace(connection, limited)
    assert pace.lease([1] * 100) in {10, 11}
    assert pace.seconds_to_wait > 0
    assert pace.lease([1] * 100) <= 1


def test_what_one_run_took_another_cannot_take(
    connection: Connection, database: PostgresSettings, limited: LlmSettings
) -> None:
    with connect(database, "other run") as other:
        assert Pace(connection, limited).lease([1] * 100) in {10, 11}
        assert Pace(other, limited).lease([1] * 100) <= 1
        elsewhere = limited.model_copy(update={"model": "another"})
        assert Pace(other, elsewhere).lease([1] * 100) in {10, 11}


def test_tokens_bind_where_requests_do_not_and_what_was_underestimated_is_owed(
    connection: Connection, limited: LlmSettings
) -> None:
    pace = Pace(connection, limited)
    assert pace.lease([300] * 10) == 4
    pace.used(300, 3_300)
    time.sleep(pace.seconds_to_wait)
    assert pace.lease([1]) == 0
    assert pace.seconds_to_wait > 2


def test_without_limits_nothing_is_held_back_until_the_endpoint_speaks_of_them(
    connection: Connection, analyst: Analyst
) -> None:
    pace = Pace(connection, analyst.settings)
    assert pace.lease([1] * 1_000) == 1_000
    pace.heard(Limits(600, None, 0.0))
    assert pace.lease([1] * 1_000) in {10, 11}


def test_an_endpoint_that_asks_to_be_left_alone_is_left_alone(
    connection: Connection, analyst: Analyst
) -> None:
    pace = Pace(connection, analyst.settings)
    pace.hold(30)
    pace.hold(10)
    for _ in range(3):
        assert pace.lease([1]) == 0
        assert 20 < pace.seconds_to_wait <= 30
        assert pace.is_held()


def test_a_pause_that_one_run_was_asked_for_holds_back_all_that_ask_the_same(
    connection: Connection, database: PostgresSettings, analyst: Analyst
) -> None:
    with connect(database, "other run") as other:
        asked, waits = Pace(connection, analyst.settings), Pace(other, analyst.settings)
        asked.hold(30)
        assert asked.lease([]) == 0
        assert waits.lease([1]) == 0
        assert 25 < waits.seconds_to_wait <= 30
        assert waits.is_held()
        elsewhere = analyst.settings.model_copy(update={"model": "another"})
        assert Pace(other, elsewhere).lease([1]) == 1
        later = Pace(connection, analyst.settings)
        later.hold(5)
        later.lease([])
        assert Pace(other, analyst.settings).lease([1]) == 0
        connection.execute("update llm.rates set not_before = now()")
        assert Pace(other, analyst.settings).lease([1]) == 1


@pytest.mark.parametrize("moment", ["now() + interval '9 days'", "'infinity'"])
def test_a_pause_in_the_row_that_nobody_can_have_asked_for_holds_back_nobody(
    connection: Connection, analyst: Analyst, moment: LiteralString
) -> None:
    connection.execute(
        f"insert into llm.rates (base_url, model, not_before) values (%s, %s, {moment})",
        [analyst.settings.base_url, analyst.settings.model],
    )
    assert Pace(connection, analyst.settings).lease([1]) == 1


def test_a_session_waits_for_what_another_session_was_asked_to_wait(
    connection: Connection, database: PostgresSettings, analyst: Analyst
) -> None:
    land_texts(connection, RECALL)
    open_stream(connection, analyst.settings.model)
    item_id = one(connection, "select item_id from risk.work_items")["item_id"]
    settings = analyst.settings.model_copy(update={"max_attempts": 1})
    analyst.fail_with({"kind": "rate_limit", "retry_after": 3, "times": 1})
    (refused,) = ask(connection, call(settings, item_id, "Acme is on fire."))
    begin = time.monotonic()
    with connect(database, "other run") as other:
        (answered,) = ask(other, call(settings, item_id, "Acme is flooded."))
    assert (refused.outcome, answered.outcome) == ("rate_limited", "ok")
    assert 2 < time.monotonic() - begin < 6


def test_a_pause_of_a_day_or_an_absurd_usage_is_believed_for_a_minute_or_two(
    connection: Connection, limited: LlmSettings
) -> None:
    pace = Pace(connection, limited)
    pace.heard(Limits(600, None, 86_400.0))
    pace.lease([1])
    assert pace.seconds_to_wait <= 60
    other = Pace(connection, limited)
    other.used(1, 2**31 - 1)
    other.lease([1])
    assert other.seconds_to_wait <= 120
    connection.execute("update llm.rates set tokens_free_at = now() + interval '9 days'")
    healed = Pace(connection, limited)
    healed.lease([1])
    assert healed.seconds_to_wait <= 120


@given(st.lists(st.floats(0, 2), min_size=1, max_size=50), st.integers(1, 6_000))
def test_no_window_gets_more_than_its_rate_and_one_block(
    pauses: list[float], per_minute: int
) -> None:
    clock, elapsed, sent = 0.0, 0.0, 0
    for pause in pauses:
        elapsed += pause
        clock -= pause
        while max(0.0, clock) < BLOCK_SECONDS:
            clock = forward(clock, 1, per_minute)
            sent += 1
    assert sent <= (elapsed + BLOCK_SECONDS) * per_minute / 60 + 1


def test_the_bound_is_cut_once_for_all_calls_that_were_under_way() -> None:
    admission = Admission(100)
    for _ in range(50):
        admission.pushed_back(sent_at=1.0, now=2.0)
    assert admission.limit == 70
    admission.pushed_back(sent_at=3.0, now=4.0)
    assert admission.limit == 49


@given(st.lists(st.booleans(), max_size=300))
def test_the_bound_stays_between_one_and_the_setting(answers: list[bool]) -> None:
    admission = Admission(20)
    for moment, is_good in enumerate(answers):
        if is_good:
            admission.answered()
        else:
            admission.pushed_back(moment, moment + 0.5)
        assert 1 <= admission.limit <= 20


def test_after_a_cut_a_round_of_answers_brings_one_more() -> None:
    admission = Admission(20)
    admission.pushed_back(1.0, 2.0)
    for _ in range(15):
        admission.answered()
    assert admission.limit == 15
