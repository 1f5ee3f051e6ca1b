"""How soon a manager sees Overview with 1,000,000 findings behind it, beside 10,000."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from benchmarks.dashboards.browsing import Manager, Opening, chromium
from benchmarks.dashboards.serving import Superset, served
from benchmarks.marts.world import filled
from benchmarks.measuring import Figure, in_turns
from benchmarks.parts import Parts

_FINDINGS = 1_000_000
_FEWER = 10_000
_ROUNDS = 5
_SLOWEST = 6
_NEW_BROWSER = "data cache empty, new browser"
_COLD = "data cache empty"
_WARM = "warm"


@dataclass(frozen=True)
class Visit:
    """A manager and the Superset that is visited."""

    manager: Manager
    superset: Superset

    def openings(self) -> dict[str, Opening]:
        """Cold in a new browser, cold, and warm."""
        self.superset.forget()
        new_browser = self.manager.open_elsewhere()
        self.superset.forget()
        cold = self.manager.open()
        return {_NEW_BROWSER: new_browser, _COLD: cold, _WARM: self.manager.open()}


def run(parts: Parts) -> list[Figure]:
    """Seconds until it is painted, and milliseconds of its slowest answers."""
    return measure(parts, _FINDINGS)


def measure(parts: Parts, findings: int) -> list[Figure]:
    """For so many findings, and for 10,000."""
    with ExitStack() as stack:
        browsers = stack.enter_context(chromium())
        visits = []
        for count in (findings, _FEWER):
            world = stack.enter_context(filled(parts, count))
            world.build_anew()
            superset = stack.enter_context(served(parts, world))
            visits.append(Visit(Manager(browsers, superset), superset))
        large, small = in_turns(_ROUNDS, visits[0].openings, visits[1].openings)
    return [*_paints(findings, large, small), *_answers(findings, large, small)]


Rounds = Sequence[Mapping[str, Opening]]


def _paints(findings: int, large: Rounds, small: Rounds) -> list[Figure]:
    return [
        Figure(
            f"Overview with {findings:,} findings, {how}: {what}",
            "s",
            [getattr(opened[how], part) for opened in large],
            [getattr(opened[how], part) for opened in small],
            f"the same with {_FEWER:,}",
        )
        for how in (_NEW_BROWSER, _COLD, _WARM)
        for what, part in (("first paint", "first"), ("all drawn", "whole"))
    ]


def _answers(findings: int, large: Rounds, small: Rounds) -> list[Figure]:
    """Of the slowest charts and filters with an empty data cache. All may be painted before a
    filter that is folded away has its answer: what did not come each time is left out."""
    asked = [opened[_COLD].answers.keys() for opened in (*large, *small)]
    figures = [
        Figure(
            f"answer with {findings:,} findings, {_COLD}: {name}",
            "ms",
            [opened[_COLD].answers[name] for opened in large],
            [opened[_COLD].answers[name] for opened in small],
            f"the same with {_FEWER:,}",
        )
        for name in set.intersection(*map(set, asked))
    ]
    return sorted(figures, key=lambda figure: median(figure.product), reverse=True)[:_SLOWEST]
