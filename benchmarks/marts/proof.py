"""The proof that goes with the figures: refreshed marts hold what a full build gives, also when
answers are taken back, and what they held before when that is undone.
"""

from collections.abc import Mapping

from benchmarks.marts.fingerprints import differing, fingerprints
from benchmarks.marts.world import AS_OF, World
from orchestration.resources.postgres import connect, one

Held = Mapping[str, str]
_TAKEN_BACK = 1_000


def prove(world: World) -> None:
    """On a world whose marts were refreshed last. Raises RuntimeError that names the marts that
    differ."""
    refreshed = _held(world)
    world.build_anew()
    _demand_equal("a full build", refreshed, _held(world))
    retraction_id = _take_back(world)
    world.refresh()
    taken_back = _held(world)
    if not differing(refreshed, taken_back):
        raise RuntimeError(f"{_TAKEN_BACK:,} answers were taken back, and no mart shows it")
    world.build_anew()
    _demand_equal("a full build after a retraction", taken_back, _held(world))
    _undo(world, retraction_id)
    world.refresh()
    _demand_equal("the refresh after the retraction was undone", refreshed, _held(world))


def _held(world: World) -> Held:
    return fingerprints(world.superuser, "marts")


def _demand_equal(what: str, before: Held, after: Held) -> None:
    if names := differing(before, after):
        lines = [f"marts.{name}: {before.get(name)} became {after.get(name)}" for name in names]
        raise RuntimeError(f"{what} does not give the same marts:\n" + "\n".join(lines))


def _take_back(world: World) -> int:
    """What the newest generation said of the first mentions that it read."""
    with connect(world.database, "benchmark") as pipeline:
        row = one(
            pipeline,
            """
            with retraction as (
                insert into risk.retractions (filter, reason, made_by, made_at)
                values (
                    '{"generation": "the newest"}', 'a proof', 'bench',
                    %s::date::timestamp at time zone 'UTC' + interval '20 hours'
                )
                returning retraction_id
            ),

            covered as (
                insert into risk.retracted (retraction_id, assessment_id)
                select retraction.retraction_id, current.assessment_id
                from retraction
                cross join (
                    select assessment_id from risk.current_assessments
                    where generation_id = (select max(generation_id) from risk.generations)
                    order by assessment_id
                    limit %s
                ) as current
            )

            select retraction_id from retraction
            """,
            [AS_OF, _TAKEN_BACK],
        )
    return int(row["retraction_id"])


def _undo(world: World, retraction_id: int) -> None:
    with connect(world.database, "benchmark") as pipeline:
        pipeline.execute(
            """
            update risk.retractions
            set
                undone_by = 'bench',
                undone_at = %s::date::timestamp at time zone 'UTC' + interval '21 hours'
            where retraction_id = %s
            """,
            [AS_OF, retraction_id],
        )
