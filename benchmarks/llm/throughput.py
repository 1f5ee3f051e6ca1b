"""The findings step on documents that wait, beside a bare aiohttp loop with the same requests."""

from benchmarks.llm import rounds
from benchmarks.llm.rounds import Load
from benchmarks.measuring import Figure, in_turns
from benchmarks.parts import Parts

_ROUNDS = 2
_LOADS = (Load(3_000, 64), Load(6_000, 128), Load(6_000, 128, processes=2))
_BARE = "a bare aiohttp loop that sends the same bytes and reads the answers"
_MEASURES = {
    "calls_per_second": ("calls/s", _BARE),
    "cpu_ms": ("client's CPU, ms/call", _BARE),
    "cpu_ms_with_postgres": ("CPU of client and PostgreSQL, ms/call", f"{_BARE}; no database"),
    "stub_busy": ("cores that the stub used", _BARE),
}


def run(parts: Parts) -> list[Figure]:
    """Four figures for each load; a warm-up of the same process comes before each round."""
    return [figure for load in _LOADS for figure in _figures(parts, load)]


def _figures(parts: Parts, load: Load) -> list[Figure]:
    parts.cluster  # noqa: B018 - runs from here on, on both sides
    products, peers = in_turns(
        _ROUNDS, lambda: rounds.product(parts, load), lambda: rounds.bare(parts, load)
    )
    return [
        Figure(
            str(load),
            unit,
            [getattr(side, name) for side in products],
            [getattr(side, name) for side in peers],
            peer_is,
        )
        for name, (unit, peer_is) in _MEASURES.items()
    ]
