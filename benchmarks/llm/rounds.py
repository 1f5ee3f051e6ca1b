"""One round of one side: a fresh stub, a fresh database where one is needed, processes that are
warm, and what they spent until the last call was answered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.llm import clients, world
from benchmarks.parts import Parts, postgres_environment
from benchmarks.stub import MODEL
from benchmarks.stub import part as stub
from orchestration.resources.postgres import connect

WARM = 256


@dataclass(frozen=True)
class Load:
    """So many calls, so many of them in flight, shared by so many processes."""

    calls: int
    in_flight: int
    processes: int = 1

    def __str__(self) -> str:
        split = f" of {self.processes} processes" if self.processes > 1 else ""
        return f"{self.in_flight} in flight{split} ({self.calls:,} calls)"


@dataclass(frozen=True)
class Side:
    """What one round took. CPU in milliseconds per call; `stub_busy` in cores."""

    calls_per_second: float
    cpu_ms: float
    cpu_ms_with_postgres: float
    stub_busy: float


def product(parts: Parts, load: Load) -> Side:
    """The findings step on as many documents as there are calls, each call paid and kept."""
    with parts.database() as database:
        with connect(database, "benchmark") as connection:
            world.fill(connection, load.calls + WARM * load.processes, MODEL)
            connection.execute("analyze")
        return _round(parts, load, _commands("product", load), postgres_environment(database))


def bare(parts: Parts, load: Load) -> Side:
    """The same bytes by aiohttp; no database, so its share counts nothing."""
    return _round(parts, load, _commands("bare", load), {})


def other(parts: Parts, load: Load, command: Sequence[str]) -> Side:
    """A process that keeps to the order of client.py: `ready`, a line, a result."""
    return _round(parts, load, [[*command, *_options(load)]], {})


def _commands(side: str, load: Load) -> list[list[str]]:
    return clients.commands(side, load.processes, *_options(load))


def _options(load: Load) -> list[str]:
    return ["--calls", str(load.calls // load.processes), "--warm", str(WARM)]


def _round(
    parts: Parts, load: Load, commands: Sequence[Sequence[str]], database: Mapping[str, str]
) -> Side:
    has_database = bool(database)
    with parts.stub() as port:
        llm = clients.environment(stub.settings(port), concurrency=load.in_flight // load.processes)
        with clients.started(commands, {**database, **llm}) as processes:
            before, postgres = stub.served(port), parts.cpu_seconds("postgres")
            clients.begin(processes)
            spent = clients.results(processes)
            after, postgres = stub.served(port), parts.cpu_seconds("postgres") - postgres
    answered = after["answered"] - before["answered"]
    if answered != load.calls:
        raise RuntimeError(f"the stub answered {answered} calls instead of {load.calls}")
    cpu = spent.cpu_seconds
    return Side(
        calls_per_second=spent.calls / spent.seconds,
        cpu_ms=cpu / spent.calls * 1_000,
        cpu_ms_with_postgres=(cpu + has_database * postgres) / spent.calls * 1_000,
        stub_busy=(after["cpu_seconds"] - before["cpu_seconds"]) / spent.seconds,
    )
