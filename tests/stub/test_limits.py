"""The stub's limits by the clock of the test: what they let through, and what the headers say."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.llm.rate_limits import used_share
from benchmarks.stub.faults import KINDS, Each, Share
from benchmarks.stub.limits import Limits, Refusal, duration, retry_headers


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.12, "120ms"),
        (0.0001, "1ms"),
        (1, "1s"),
        (8.64, "8.64s"),
        (59.9999, "1m0s"),
        (72.5, "1m12.5s"),
        (360, "6m0s"),
        (3_600, "1h0m0s"),
    ],
)
def test_a_reset_is_written_as_openai_writes_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(st.floats(0, 100_000))
def test_a_reset_never_says_less_than_it_takes_and_at_most_a_millisecond_more(
    seconds: float,
) -> None:
    factors = {"h": 3_600, "m": 60, "s": 1, "ms": 0.001}
    parts = re.findall(r"([\d.]+)(ms|h|m|s)", duration(seconds))
    said = sum(float(number) * factors[unit] for number, unit in parts)
    assert -1e-6 < said - seconds < 0.001 + 1e-6


def test_the_headers_hold_limit_remaining_and_reset_of_both() -> None:
    limits = Limits(60, 600, now=100)
    assert limits.admit(60, now=100) is None
    assert limits.headers(now=100) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "600",
        "x-ratelimit-remaining-tokens": "540",
        "x-ratelimit-reset-tokens": "6s",
    }


def test_without_limits_nothing_is_refused_and_nothing_is_said() -> None:
    limits = Limits(None, None, now=0)
    assert [limits.admit(10**9, now=0) for _ in range(100)] == [None] * 100
    assert limits.headers(now=0) == {}


def test_a_refused_request_takes_from_neither_limit() -> None:
    limits = Limits(10, 600, now=0)
    assert limits.admit(600, now=0) is None
    assert limits.admit(60, now=0) == Refusal("tokens", 6)
    assert limits.headers(now=0)["x-ratelimit-remaining-requests"] == "9"


def test_after_the_seconds_it_was_told_a_request_passes_and_not_before() -> None:
    limits = Limits(6, None, now=0)
    for _ in range(6):
        assert limits.admit(1, now=0) is None
    refusal = limits.admit(1, now=0)
    assert refusal == Refusal("requests", 10)
    assert limits.admit(1, now=9.9) is not None
    assert limits.admit(1, now=10) is None


def test_idle_time_saves_up_no_more_than_a_minute() -> None:
    limits = Limits(6, None, now=0)
    passed = [limits.admit(1, now=3_600) is None for _ in range(8)]
    assert passed == [True] * 6 + [False] * 2


def test_a_request_larger_than_the_limit_is_not_told_to_wait() -> None:
    refusal = Limits(None, 100, now=0).admit(101, now=0)
    assert refusal is not None
    assert refusal.limit == "tokens"
    assert retry_headers(refusal) == {}


def test_retry_after_is_whole_seconds_and_its_milliseconds_are_exact() -> None:
    assert retry_headers(Refusal("requests", 1.2341)) == {
        "retry-after": "2",
        "retry-after-ms": "1235",
    }


@given(
    st.integers(1, 50),
    st.integers(1, 5_000),
    st.lists(st.tuples(st.floats(0, 20), st.integers(0, 500)), max_size=200),
)
def test_no_order_of_requests_gets_more_than_a_full_minute_and_what_flowed_in(
    requests: int, tokens: int, steps: list[tuple[float, int]]
) -> None:
    limits, now, passed, taken = Limits(requests, tokens, now=0), 0.0, 0, 0
    for wait, amount in steps:
        now += wait
        if limits.admit(amount, now) is None:
            passed, taken = passed + 1, taken + amount
    assert passed <= requests * (1 + now / 60) + 1e-6
    assert taken <= tokens * (1 + now / 60) + 1e-6


def test_the_same_seed_fails_the_same_requests_in_the_same_way() -> None:
    def first(seed: int) -> list[str | None]:
        faults = Share(0.3, seed)
        return [faults.next() for _ in range(500)]

    assert first(7) == first(7)
    assert first(7) != first(8)


def test_faults_are_of_every_kind_and_as_many_as_was_asked_for() -> None:
    faults = Share(0.3, seed=7)
    hit = [kind for kind in (faults.next() for _ in range(5_000)) if kind]
    assert set(hit) == set(KINDS)
    assert 0.27 < len(hit) / 5_000 < 0.33


def test_no_share_is_no_fault() -> None:
    faults = Share(0, seed=7)
    assert {faults.next() for _ in range(1_000)} == {None}


def test_so_many_of_each_kind_fall_among_the_first_requests_and_none_after() -> None:
    faults = Each(3, among=100, seed=7)
    first = [faults.next() for _ in range(100)]
    assert Counter(kind for kind in first if kind) == dict.fromkeys(KINDS, 3)
    assert {faults.next() for _ in range(100)} == {None}
    again = Each(3, among=100, seed=7)
    assert first == [again.next() for _ in range(100)]


def _served(at: float, tokens: float, level: float) -> dict[str, object]:
    return {
        "at": at,
        "taken": {"requests": 0, "tokens": tokens},
        "levels": {"requests": 600, "tokens": level},
    }


def test_the_used_share_is_of_the_limit_that_binds() -> None:
    assert used_share(_served(0, 0, 0), _served(60, 150_000, 0)) == 0.75


def test_what_is_taken_out_of_a_full_bucket_makes_no_share_above_one() -> None:
    assert used_share(_served(0, 0, 200_000), _served(60, 400_000, 0)) == 1
