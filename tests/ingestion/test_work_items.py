"""Work items: claimed once, fenced, given back, tried again, and at last dead."""

import time
import uuid

import pytest

from orchestration.ingestion import work_items
from orchestration.ingestion.work_items import Done, Failure
from orchestration.resources.llm import EndpointRefuses
from orchestration.resources.postgres import Connection, connect, one
from orchestration.settings import PostgresSettings

SUBJECTS = [uuid.uuid4() for _ in range(5)]


@pytest.fixture
def generation(connection: Connection) -> int:
    row = one(
        connection,
        "insert into risk.generations (kind, status, model, prompt_versions)"
        " values ('stream', 'live', 'm', '{}') returning generation_id",
    )
    return int(row["generation_id"])


@pytest.fixture
def queued(connection: Connection, generation: int) -> int:
    work_items.enqueue(connection, "mention", SUBJECTS, "findings", generation)
    return generation


def claim(connection: Connection, limit: int = 10, max_attempts: int = 3) -> list[work_items.Item]:
    return work_items.claim(connection, "findings", limit, max_attempts)


def end_leases(connection: Connection) -> None:
    """As if the lease had run out (the pipeline's role may set it)."""
    connection.execute(
        "update risk.work_items set available_at = now(), lease_until = now()"
        " where state = 'claimed'"
    )


def states(connection: Connection) -> dict[str, int]:
    rows = connection.execute("select state, count(*) as n from risk.work_items group by state")
    return {row["state"]: row["n"] for row in rows}


def test_an_item_is_queued_once(connection: Connection, queued: int) -> None:
    work_items.enqueue(connection, "mention", SUBJECTS, "findings", queued)
    assert states(connection) == {"pending": 5}


def test_two_claimants_never_get_the_same_item(
    connection: Connection, queued: int, database: PostgresSettings
) -> None:
    with connect(database, "second") as other:
        first, second = claim(connection, 3), claim(other, 3)
    assert len(first) == 3
    assert len(second) == 2
    assert not {i.item_id for i in first} & {i.item_id for i in second}
    assert claim(connection) == []


def test_only_wanted_subjects_are_claimed(connection: Connection, queued: int) -> None:
    items = work_items.claim(connection, "findings", 10, 3, SUBJECTS[:2])
    assert {item.subject_id for item in items} == set(SUBJECTS[:2])


def test_a_claimant_whose_lease_ended_can_finish_nothing(
    connection: Connection, queued: int
) -> None:
    slow = claim(connection)
    end_leases(connection)
    fast = claim(connection)
    assert {i.item_id for i in fast} == {i.item_id for i in slow}
    with connection.transaction():
        assert work_items.hold(connection, slow) == set()
        work_items.finish(connection, [Done(item, "slow") for item in slow])
    with connection.transaction():
        assert work_items.hold(connection, fast) == {i.item_id for i in fast}
        work_items.finish(connection, [Done(item, "fast") for item in fast])
    row = one(connection, "select array_agg(distinct outcome) as outcomes from risk.work_items")
    assert row["outcomes"] == ["fast"]


def test_a_transient_failure_is_tried_again_later_and_at_last_dead(
    connection: Connection, queued: int
) -> None:
    failure = Failure("timeout", "no answer\x00", is_transient=True)
    for attempt in (1, 2, 3):
        (item,) = claim(connection, 1)
        assert item.attempts == attempt
        assert work_items.fail(connection, item, failure, 3) == (attempt == 3)
        connection.execute(
            "update risk.work_items set available_at = '-infinity'"
            " where state = 'pending' and last_error_class = 'timeout'"
        )
    row = one(connection, "select * from risk.work_items where state = 'dead'")
    assert (row["last_error_class"], row["last_error"]) == ("timeout", "no answer")


def test_a_failed_item_waits_before_it_can_be_claimed(connection: Connection, queued: int) -> None:
    for item in claim(connection):
        work_items.fail(connection, item, Failure("timeout", "", is_transient=True), 3)
    assert claim(connection) == []
    assert not work_items.has_claimable(connection)
    assert states(connection) == {"pending": 5}


def test_each_delay_is_four_times_the_one_before(connection: Connection, queued: int) -> None:
    delays = []
    for _ in range(3):
        (item,) = work_items.claim(connection, "findings", 1, 9, SUBJECTS[:1])
        work_items.fail(connection, item, Failure("timeout", "", is_transient=True), 9)
        row = one(
            connection,
            "select extract(epoch from available_at - now())::float as delay"
            " from risk.work_items where last_error_class is not null",
        )
        delays.append(row["delay"])
        connection.execute(
            "update risk.work_items set available_at = now() where last_error_class is not null"
        )
    assert delays == [pytest.approx(seconds, abs=5) for seconds in (30, 120, 480)]


def test_a_renewed_lease_outlives_the_first_one(
    connection: Connection, queued: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_items, "LEASE_SECONDS", 2)
    kept, lost = claim(connection, 2), claim(connection, 3)
    time.sleep(1.2)
    work_items.renew(connection, kept)
    time.sleep(1.2)
    assert {item.item_id for item in claim(connection)} == {item.item_id for item in lost}
    with connection.transaction():
        assert work_items.hold(connection, [*kept, *lost]) == {item.item_id for item in kept}


@pytest.mark.parametrize(
    ("error", "attempts"),
    [(EndpointRefuses("key"), 0), (KeyboardInterrupt(), 0), (RuntimeError("bug"), 1)],
)
def test_only_a_fault_that_may_be_the_items_own_costs_them_an_attempt(
    connection: Connection, queued: int, error: BaseException, attempts: int
) -> None:
    items = claim(connection)
    with pytest.raises(type(error)), work_items.given_back(connection, items, 3):
        raise error
    assert states(connection) == {"pending": 5}
    row = one(connection, "select array_agg(distinct attempts) as n from risk.work_items")
    assert row["n"] == [attempts]
    assert len(claim(connection)) == (0 if attempts else 5)


def test_a_permanent_failure_is_dead_at_once(connection: Connection, queued: int) -> None:
    (item,) = claim(connection, 1)
    assert work_items.fail(connection, item, Failure("refusal", "", is_transient=False), 3)


def test_items_that_take_their_runs_down_are_dead_in_the_end(
    connection: Connection, queued: int
) -> None:
    for _ in range(3):
        assert len(claim(connection)) == 5
        end_leases(connection)
    assert claim(connection) == []
    assert states(connection) == {"dead": 5}


def test_released_items_are_as_if_never_claimed(connection: Connection, queued: int) -> None:
    work_items.release(connection, claim(connection))
    assert [item.attempts for item in claim(connection)] == [1] * 5


def test_reopening_a_claimed_item_takes_it_from_its_claimant(
    connection: Connection, queued: int
) -> None:
    items = claim(connection)
    work_items.reopen(connection, SUBJECTS, "findings", queued, ("claimed",))
    with connection.transaction():
        assert work_items.hold(connection, items) == set()
    assert [item.attempts for item in claim(connection)] == [1] * 5
