"""A refresh of the marts after 1,000 new findings with 1,000,000 behind them, beside one with a
tenth of that, and beside a full build; then the proof that all of them give the same.
"""

from pathlib import Path

from benchmarks.marts import generator
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
    figures, text = measure(parts, _FINDINGS)
    _REPORT.write_text(text)
    return figures


def measure(parts: Parts, findings: int) -> tuple[list[Figure], str]:
    """The figures and the report for so many findings and for a tenth of them."""
    fewer = max(findings // 10, generator.FEWEST)
    with filled(parts, findings) as large, filled(parts, fewer) as small:
        built = [world.build_anew() for world in (large, small)]
        text = report(f"Full build, {findings:,} findings", built[0], large.database)
        refreshed, refreshed_small = in_turns(
            _ROUNDS, lambda: _seconds(large), lambda: _seconds(small)
        )
        large.add_news()
        text += report(f"Refresh, {findings:,} findings", large.refresh(), large.database)
        prove(large)
    refresh = f"refresh after {NEW_FINDINGS:,} findings"
    full, full_small = ([build.seconds] for build in built)
    as_small = f"the same with {fewer:,}"
    return [
        Figure(f"{refresh}, {findings:,} before", "s", refreshed, refreshed_small, as_small),
        Figure(f"{refresh}, {findings:,} before", "s", refreshed, full, "a full build of the same"),
        Figure(f"full build, {findings:,} findings", "s", full, full_small, as_small),
    ], text


def _seconds(world: World) -> float:
    world.add_news()
    return world.refresh().seconds
