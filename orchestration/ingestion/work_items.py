"""The work that landing and scoring leave for later: queued, claimed with a lease, finished.

A claim hands out a fencing token; only its holder may finish the item, so a run that lost its
lease writes nothing. `available_at` is when an item may be claimed: of a claimed item, the end of
its lease. No lock is held during a call to the LLM.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from orchestration.crash_points import reach
from orchestration.errors import LlmError
from orchestration.resources.postgres import Connection

Step = Literal["mentions", "findings", "briefs"]
SubjectType = Literal["document", "mention", "pair"]
LEASE_SECONDS = 180
USUAL_PRIORITY = 2
_FIRST_DELAY_SECONDS = 30
_DELAY_GROWS_BY = 4


@dataclass(frozen=True)
class Item:
    """One claimed piece of work."""

    item_id: int
    subject_id: UUID
    generation_id: int | None
    attempts: int
    fencing_token: int


@dataclass(frozen=True)
class Failure:
    """Why an item was not done; a transient one is tried again later."""

    error_class: str
    error: str
    is_transient: bool


@dataclass(frozen=True)
class Done:
    """How an item ended well."""

    item: Item
    outcome: str
    detail: Mapping[str, Any] | None = None


def enqueue(
    connection: Connection,
    subject_type: SubjectType,
    subject_ids: Sequence[UUID],
    step: Step,
    generation_id: int,
    priorities: Sequence[int] | None = None,
) -> None:
    """Queue a step for each subject, unless it was queued in this generation before; of a priority
    each, 0 being done first, or all of the usual one."""
    connection.execute(
        "insert into risk.work_items (subject_type, subject_id, step, generation_id, priority)"
        " select %s, subject_id, %s, %s, priority"
        " from unnest(%s::uuid[], %s::smallint[]) as subjects (subject_id, priority)"
        " order by subject_id"
        " on conflict (subject_type, subject_id, step, generation_id) do nothing",
        [
            subject_type,
            step,
            generation_id,
            list(subject_ids),
            priorities or [USUAL_PRIORITY] * len(subject_ids),
        ],
    )


def reopen(
    connection: Connection,
    subject_ids: Sequence[UUID],
    step: Step,
    generation_id: int,
    states: Sequence[str],
) -> None:
    """Make items of these states claimable at once, with all their attempts before them.

    A claimed item that is reopened is lost to its claimant, who may have read what is now old.
    """
    connection.execute(
        """
        with wanted as (
            select item_id from risk.work_items
            where subject_id = any(%s) and step = %s and generation_id = %s and state = any(%s)
            order by item_id
            for update
        )

        update risk.work_items
        set state = 'pending', outcome = null, attempts = 0, available_at = now()
        from wanted
        where work_items.item_id = wanted.item_id
        """,
        [list(subject_ids), step, generation_id, list(states)],
    )


def has_claimable(connection: Connection) -> bool:
    """Whether a scoring run would find anything to do now. Replays have runs of their own."""
    row = connection.execute(
        "select exists (select from risk.work_items as items"
        " where items.state in ('pending', 'claimed') and items.available_at <= now()"
        " and not exists (select from risk.generations"
        " where generations.generation_id = items.generation_id and generations.kind = 'replay')"
        ") as found"
    ).fetchone()
    return bool(row and row["found"])


_CLAIM: LiteralString = """
with picked as (
    select item_id from risk.work_items
    where
        step = %(step)s and state in ('pending', 'claimed') and available_at <= now()
        and (%(subjects)s::uuid[] is null or subject_id = any(%(subjects)s))
        and (%(generation)s::bigint is null or generation_id = %(generation)s)
    order by priority, available_at, item_id
    limit %(limit)s
    for update skip locked
),

token as (select nextval('risk.fencing_tokens') as value)

update risk.work_items set
    state = 'claimed',
    attempts = attempts + 1,
    lease_until = now() + make_interval(secs => %(lease)s),
    available_at = now() + make_interval(secs => %(lease)s),
    fencing_token = token.value
from picked, token
where work_items.item_id = picked.item_id
returning
    work_items.item_id, work_items.subject_id, work_items.generation_id,
    work_items.attempts, work_items.fencing_token
"""


def claim(
    connection: Connection,
    step: Step,
    limit: int,
    max_attempts: int,
    subject_ids: Sequence[UUID] | None = None,
    generation_id: int | None = None,
) -> list[Item]:
    """Take at most `limit` items, of these subjects and this generation only if given; the most
    urgent first, of these the oldest.

    An item whose lease ended `max_attempts` times is dead: it takes its run down each time.
    """
    _bury(connection, step, max_attempts)
    rows = connection.execute(
        _CLAIM,
        {
            "step": step,
            "limit": limit,
            "lease": LEASE_SECONDS,
            "subjects": None if subject_ids is None else list(subject_ids),
            "generation": generation_id,
        },
    )
    items = [Item(**row) for row in rows]
    if items:
        reach("after_claim")
    return items


def _bury(connection: Connection, step: Step, max_attempts: int) -> None:
    connection.execute(
        """
        update risk.work_items
        set state = 'dead', last_error_class = 'abandoned', finished_at = now(),
            last_error = 'the run that worked on it ended without a word, each time'
        where state = 'claimed' and step = %s and available_at <= now() and attempts >= %s
        """,
        [step, max_attempts],
    )


def renew(connection: Connection, items: Sequence[Item]) -> None:
    """Begin the lease anew for the items that are still this claimant's."""
    with connection.transaction():
        held = hold(connection, items)
        connection.execute(
            "update risk.work_items set"
            " lease_until = now() + make_interval(secs => %s),"
            " available_at = now() + make_interval(secs => %s)"
            " where item_id = any(%s)",
            [LEASE_SECONDS, LEASE_SECONDS, list(held)],
        )


def hold(connection: Connection, items: Sequence[Item]) -> set[int]:
    """Lock the items in this transaction, in the order in which everybody locks them; returns the
    ids that are still this claimant's."""
    rows = connection.execute(
        """
        select work_items.item_id
        from risk.work_items
        inner join unnest(%s::bigint[], %s::bigint[]) as held (item_id, fencing_token)
            using (item_id, fencing_token)
        where work_items.state = 'claimed'
        order by work_items.item_id
        for update of work_items
        """,
        _ids_and_tokens(items),
    )
    return {row["item_id"] for row in rows}


def finish(connection: Connection, done: Sequence[Done]) -> None:
    """Items are done; call it in the transaction that holds them and writes their results."""
    connection.execute(
        """
        update risk.work_items
        set state = 'done', outcome = ended.outcome, detail = ended.detail, finished_at = now(),
            last_error_class = null, last_error = null
        from unnest(%s::bigint[], %s::bigint[], %s::text[], %s::jsonb[])
            as ended (item_id, fencing_token, outcome, detail)
        where
            work_items.item_id = ended.item_id
            and work_items.fencing_token = ended.fencing_token
            and work_items.state = 'claimed'
        """,
        [
            *_ids_and_tokens([one.item for one in done]),
            [one.outcome for one in done],
            [None if one.detail is None else Jsonb(one.detail) for one in done],
        ],
    )


def fail(connection: Connection, item: Item, failure: Failure, max_attempts: int) -> bool:
    """Try the item again later, each time much later, or let it rest as dead; returns if dead."""
    is_dead = not failure.is_transient or item.attempts >= max_attempts
    connection.execute(
        """
        update risk.work_items set
            state = %s,
            last_error_class = %s,
            last_error = %s,
            available_at = now() + make_interval(secs => %s),
            finished_at = case when %s then now() end
        where item_id = %s and fencing_token = %s and state = 'claimed'
        """,
        [
            "dead" if is_dead else "pending",
            failure.error_class,
            failure.error.replace("\x00", "")[:2_000],
            _FIRST_DELAY_SECONDS * _DELAY_GROWS_BY ** (item.attempts - 1),
            is_dead,
            item.item_id,
            item.fencing_token,
        ],
    )
    return is_dead


@contextmanager
def given_back(
    connection: Connection, items: Collection[Item], max_attempts: int
) -> Iterator[None]:
    """Whatever ends the block early, nothing of what the items are by then stays claimed.

    An endpoint that answers nobody (LlmError) or an interrupt costs no attempt. Any other error may
    be the items' own and come again each time: it counts, so that they are dead in the end.
    """
    try:
        yield
    except LlmError:
        release(connection, items)
        raise
    except Exception as error:
        failure = Failure("internal_error", f"the run failed: {error!r}", is_transient=True)
        for item in items:
            fail(connection, item, failure, max_attempts)
        raise
    except BaseException:
        release(connection, items)
        raise


def release(connection: Connection, items: Collection[Item]) -> None:
    """Give unfinished items back at once, as if never claimed: the run ends for another reason."""
    connection.execute(
        """
        update risk.work_items
        set state = 'pending', attempts = attempts - 1, available_at = now()
        from unnest(%s::bigint[], %s::bigint[]) as held (item_id, fencing_token)
        where
            work_items.item_id = held.item_id
            and work_items.fencing_token = held.fencing_token
            and work_items.state = 'claimed'
        """,
        _ids_and_tokens(items),
    )


def _ids_and_tokens(items: Collection[Item]) -> list[list[int]]:
    return [[item.item_id for item in items], [item.fencing_token for item in items]]
