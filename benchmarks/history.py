"""History at size: a rollback and its undo beside the bare rows that it writes; explanations and
searches with 200,000 assessments behind them beside those with a tenth.
"""

import time
from collections.abc import Callable

from benchmarks.marts.world import World, filled
from benchmarks.measuring import Figure, in_turns
from benchmarks.parts import Parts
from orchestration.history.explain import explain
from orchestration.history.rollback import roll_back, undo
from orchestration.history.search import search
from orchestration.history.selection import Selection
from orchestration.ingestion.words import take_words
from orchestration.resources.postgres import Connection, connect, one

_FINDINGS = 400_000  # of 200,000 assessments
_FEWER = 40_000
_ROUNDS = 3
_SEARCHES = {"a rare word": "tutun", "a phrase": '"tells of baban"', "a word of all": "report"}


def run(parts: Parts) -> list[Figure]:
    """Seconds of each action, on one connection."""
    with filled(parts, _FINDINGS) as large, filled(parts, _FEWER) as small:
        for world in (large, small):
            world.build_anew()
        with connect(large.database, "bench") as many, connect(small.database, "bench") as few:
            for connection in (many, few):
                take_words(connection)
            return [*_rollbacks(many), *_readings(many, few, large)]


def _rollbacks(connection: Connection) -> list[Figure]:
    """Of the prompt version that wrote most."""
    row = one(
        connection,
        "select prompt_versions ->> 'risk_findings' as version, count(*) as assessments"
        " from risk.assessments inner join risk.generations using (generation_id)"
        " group by 1 order by 2 desc limit 1",
    )
    selection = Selection(prompt_versions=(row["version"],))
    undone: list[float] = []

    def back_and_forth() -> float:
        begin = time.perf_counter()
        taken = roll_back(connection, selection, "a benchmark", "bench")
        middle = time.perf_counter()
        undo(connection, taken.retraction_id or 0, "bench")
        undone.append(time.perf_counter() - middle)
        return middle - begin

    back, bare = in_turns(_ROUNDS, back_and_forth, lambda: _bare_rows(connection))
    peer_is = "the same ids written to a bare table"
    count = f"{row['assessments']:,} assessments"
    return [
        Figure(f"rollback of a prompt version, {count}", "s", back, bare, peer_is),
        Figure(f"its undo, {count}", "s", undone, bare, peer_is),
    ]


def _bare_rows(connection: Connection) -> float:
    begin = time.perf_counter()
    with connection.transaction(force_rollback=True):
        connection.execute(
            "create temporary table bare as"
            " select assessment_id, brief_id from risk.retracted"
            " where retraction_id = (select max(retraction_id) from risk.retractions)"
        )
    return time.perf_counter() - begin


def _readings(many: Connection, few: Connection, large: World) -> list[Figure]:
    """What a person asks and waits for."""

    def timed(
        connection: Connection, action: Callable[[Connection], object]
    ) -> Callable[[], float]:
        def measure() -> float:
            begin = time.perf_counter()
            action(connection)
            return time.perf_counter() - begin

        return measure

    actions: dict[str, Callable[[Connection], object]] = {
        "explain the supplier with most evidence": lambda c: explain(c, _busiest(c), None),
        **{
            f"search for {what}": lambda c, words=words: search(c, words)  # type: ignore[misc]
            for what, words in _SEARCHES.items()
        },
    }
    peer_is = f"the same with {_FEWER:,} findings"
    figures = []
    for what, action in actions.items():
        sides = in_turns(_ROUNDS, timed(many, action), timed(few, action))
        figures.append(Figure(f"{what}, {large.findings:,} findings", "s", *sides, peer_is))
    return figures


def _busiest(connection: Connection) -> str:
    row = one(
        connection,
        "select supplier_id from marts.supplier_risk_current group by supplier_id"
        " order by sum(documents) desc limit 1",
    )
    return str(row["supplier_id"])
