"""A tick and a claim with 100,000 items pending, beside 1,000: neither may grow with what waits."""

import time
from collections.abc import Callable

from benchmarks.measuring import Figure, in_turns
from benchmarks.parts import Parts
from orchestration.ingestion import changed_pairs, work_items
from orchestration.resources.postgres import Connection, connect

_DEEP = 100_000
_SHALLOW = 1_000
_ROUNDS = 3
_REPEATS = 10
_CLAIM = 50
_PEER_IS = f"the same with {_SHALLOW:,} pending"


def run(parts: Parts) -> list[Figure]:
    """Milliseconds of what a tick asks the tables, and of one claim."""
    figures = []
    for measure, action in (("tick", _tick), (f"claim of {_CLAIM}", _claim)):
        deep, shallow = in_turns(
            _ROUNDS, _timed(parts, action, _DEEP), _timed(parts, action, _SHALLOW)
        )
        figures.append(Figure(f"{measure}, {_DEEP:,} pending", "ms", deep, shallow, _PEER_IS))
    return figures


def _timed(parts: Parts, action: Callable[[Connection], None], depth: int) -> Callable[[], float]:
    def measure() -> float:
        with parts.database() as database, connect(database, "benchmark") as connection:
            _fill(connection, depth)
            begin = time.perf_counter()
            for _ in range(_REPEATS):
                action(connection)
            return (time.perf_counter() - begin) * 1_000 / _REPEATS

    return measure


def _fill(connection: Connection, depth: int) -> None:
    """Half may be claimed now, half waits for a later attempt, as after an outage."""
    connection.execute(
        """
        insert into risk.work_items (subject_type, subject_id, step, available_at)
        select
            'mention', gen_random_uuid(), 'findings',
            now() + make_interval(secs => case when number %% 2 = 0 then -number else number end)
        from generate_series(1, %s) as number
        """,
        [depth],
    )


def _tick(connection: Connection) -> None:
    if not work_items.has_claimable(connection):
        raise RuntimeError("half of the items may be claimed")
    changed_pairs.are_left_behind(connection)


def _claim(connection: Connection) -> None:
    if len(work_items.claim(connection, "findings", _CLAIM, max_attempts=5)) != _CLAIM:
        raise RuntimeError("a claim takes as many as it is asked for")
