"""How much of an endpoint's limits is used, and how many calls it refuses: by one process and by
two at once that share the limits, beside AsyncOpenAI with its own retries.
"""

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.llm import clients, world
from benchmarks.measuring import Figure, in_turns
from benchmarks.parts import Parts, postgres_environment
from benchmarks.stub import MODEL
from benchmarks.stub import part as stub
from orchestration.resources.postgres import connect

_REQUESTS = 600
_TOKENS = 200_000
_IN_FLIGHT = 64
_START_SECONDS = 10  # in which the full minute that an endpoint grants at once is used up
_SECONDS = 60
_DOCUMENTS = 2_000  # more than fit into the limits
_ROUNDS = 1
_PEER_IS = "AsyncOpenAI with its own retries, as many in flight, no database"


@dataclass(frozen=True)
class _Side:
    """Shares from 0 to 1."""

    used: float
    refused: float


def run(parts: Parts) -> list[Figure]:
    """The used share is of 60 s after the start; the refused share counts from the first call."""
    figures = []
    for processes in (1, 2):
        products, peers = in_turns(
            _ROUNDS, partial(_product, parts, processes), partial(_round, parts, processes)
        )
        measure = f"{_REQUESTS:,} requests, {_TOKENS:,} tokens a minute; {processes} at once"
        for name, unit in (("used", "share of the limit used"), ("refused", "share refused")):
            figures.append(
                Figure(
                    measure,
                    unit,
                    [getattr(side, name) for side in products],
                    [getattr(side, name) for side in peers],
                    _PEER_IS,
                )
            )
    return figures


def _product(parts: Parts, processes: int) -> _Side:
    with parts.database() as database:
        with connect(database, "benchmark") as connection:
            world.fill(connection, _DOCUMENTS, MODEL)
        return _round(parts, processes, "product", postgres_environment(database))


def _round(
    parts: Parts, processes: int, side: str = "sdk", database: dict[str, str] | None = None
) -> _Side:
    limits = ["--requests-per-minute", str(_REQUESTS), "--tokens-per-minute", str(_TOKENS)]
    calls = _DOCUMENTS // processes
    commands = clients.commands(side, processes, "--calls", calls, "--until-closed")
    with parts.stub(*limits) as port:
        llm = clients.environment(
            stub.settings(port),
            concurrency=_IN_FLIGHT // processes,
            requests_per_minute=_REQUESTS,
            tokens_per_minute=_TOKENS,
        )
        with clients.started(commands, {**(database or {}), **llm}) as running:
            clients.begin(running)
            time.sleep(_START_SECONDS)
            before = stub.served(port)
            time.sleep(_SECONDS)
            after = stub.served(port)
            for process in running:
                if process.poll() is not None:
                    raise RuntimeError("a measured process ended early; its error is above")
    answered, refused = after["answered"], after["refused"]
    if not answered:
        raise RuntimeError("no call was answered")
    return _Side(used_share(before, after), refused / (answered + refused))


def used_share(before: dict[str, Any], after: dict[str, Any]) -> float:
    """Of the limit that binds: what was taken, of what the stub had to give meanwhile.

    That is what flowed into a bucket, and what was taken out of its level: never more than 1.
    """
    minutes: float = (after["at"] - before["at"]) / 60
    sizes = {"requests": _REQUESTS, "tokens": _TOKENS}
    shares = (
        (after["taken"][name] - before["taken"][name])
        / (size * minutes + max(0.0, before["levels"][name] - after["levels"][name]))
        for name, size in sizes.items()
    )
    return float(max(shares))
