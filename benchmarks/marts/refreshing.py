"""A refresh of the marts after 1,000 new findings with 1,000,000 behind them, beside one with a
tenth of that, and beside a full build; then the proof that all of them give the same.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.marts import generator
from benchmarks.marts.building import Build
from benchmarks.marts.proof import prove
from benchmarks.marts.report import report
from benchmarks.marts.world import NEW_FINDINGS, World, filled
from benchmarks.measuring import Figure, in_turns
from benchmarks.parts import Parts

_FINDINGS = 1_000_000
_ROUNDS = 3
_REPORT = Path(__file__).parent.parent / "results" / "marts.txt"


def run(parts: Parts) -> list[Figure]:
    """Seconds of dbt beyond its start. Plans of the slowest models go to results/marts.txt."""
    with _REPORT.open("w") as file:
        return measure(parts, _FINDINGS, file.write)


def measure(parts: Parts, findings: int, tell: Callable[[str], object]) -> list[Figure]:
    """For so many findings and for a tenth of them; what there is to tell comes as it is known.

    Raises RuntimeError if the marts depend on how they were made.
    """
    fewer = max(findings // 10, generator.FEWEST)
    with filled(parts, findings) as large, filled(parts, fewer) as small:
        built = [world.build_anew() for world in (large, small)]
        tell(report(f"Full build, {findings:,} findings", built[0], large.database))
        refreshed, refreshed_small = in_turns(
            _ROUNDS, lambda: _refreshed(large), lambda: _refreshed(small)
        )
        tell(report(f"Refresh, {findings:,} findings", refreshed[-1], large.database))
        prove(large)
    refresh = f"refresh after {NEW_FINDINGS:,} findings, {findings:,} before"
    full = f"full build, {findings:,} findings"
    as_small = f"the same with {fewer:,}"
    return [
        _figure(refresh, refreshed, refreshed_small, as_small),
        _figure(refresh, refreshed, built[:1], "a full build of the same"),
        _figure(full, built[:1], built[1:], as_small),
    ]


def _refreshed(world: World) -> Build:
    world.add_news()
    return world.refresh()


def _figure(measure: str, product: Sequence[Build], peer: Sequence[Build], peer_is: str) -> Figure:
    seconds = [[build.seconds for build in side] for side in (product, peer)]
    return Figure(measure, "s", seconds[0], seconds[1], peer_is)
