"""The findings step on documents that wait, beside a bare aiohttp loop with the same requests."""

from dataclasses import dataclass

from benchmarks.llm import clients, world
from benchmarks.measuring import Figure, in_turns
from benchmarks.parts import Parts, postgres_environment
from benchmarks.stub import MODEL
from benchmarks.stub import part as stub
from orchestration.resources.postgres import connect

_ROUNDS = 3
_WARM = 256
_BARE = "a bare aiohttp loop that sends the same bytes and reads the answers"


@dataclass(frozen=True)
class _Load:
    """So many calls, so many of them in flight, shared by so many processes."""

    calls: int
    in_flight: int
    processes: int

    def __str__(self) -> str:
        split = f" of {self.processes} processes" if self.processes > 1 else ""
        return f"{self.in_flight} in flight{split} ({self.calls:,} calls)"


@dataclass(frozen=True)
class _Side:
    """What one round took. CPU in milliseconds per call; `stub_busy` in cores."""

    calls_per_second: float
    cpu_ms: float
    cpu_ms_with_postgres: float
    stub_busy: float


_LOADS = (_Load(3_000, 64, 1), _Load(6_000, 128, 1), _Load(6_000, 128, 2))


def run(parts: Parts) -> list[Figure]:
    """Four figures for each load; a warm-up of the same process comes before each round."""
    return [figure for load in _LOADS for figure in _figures(parts, load)]


def _figures(parts: Parts, load: _Load) -> list[Figure]:
    products, peers = in_turns(
        _ROUNDS, lambda: _product(parts, load), lambda: _round(parts, load, "bare", {})
    )
    measures = {
        "calls_per_second": ("calls/s", _BARE),
        "cpu_ms": ("client's CPU, ms/call", _BARE),
        "cpu_ms_with_postgres": ("client's and PostgreSQL's CPU, ms/call", f"{_BARE}; no database"),
        "stub_busy": ("of a core is the stub's", _BARE),
    }
    return [
        Figure(
            str(load),
            unit,
            [getattr(side, name) for side in products],
            [getattr(side, name) for side in peers],
            peer_is,
        )
        for name, (unit, peer_is) in measures.items()
    ]


def _product(parts: Parts, load: _Load) -> _Side:
    with parts.database() as database:
        with connect(database, "benchmark") as connection:
            world.fill(connection, load.calls + _WARM * load.processes, MODEL)
            connection.execute("analyze")
        return _round(parts, load, "product", postgres_environment(database))


def _round(parts: Parts, load: _Load, side: str, variables: dict[str, str]) -> _Side:
    calls = load.calls // load.processes
    commands = clients.commands(side, load.processes, "--calls", calls, "--warm", _WARM)
    with parts.stub() as port:
        llm = clients.environment(stub.settings(port), concurrency=load.in_flight // load.processes)
        with clients.started(commands, variables | llm) as processes:
            before, postgres = stub.served(port), parts.cpu_seconds("postgres")
            clients.begin(processes)
            spent = clients.results(processes)
            after, postgres = stub.served(port), parts.cpu_seconds("postgres") - postgres
    answered = after["answered"] - before["answered"]
    if answered != load.calls:
        raise RuntimeError(f"the stub answered {answered} calls instead of {load.calls}")
    in_database = postgres if side == "product" else 0
    return _Side(
        calls_per_second=spent.calls / spent.seconds,
        cpu_ms=spent.cpu_seconds / spent.calls * 1_000,
        cpu_ms_with_postgres=(spent.cpu_seconds + in_database) / spent.calls * 1_000,
        stub_busy=(after["cpu_seconds"] - before["cpu_seconds"]) / spent.seconds,
    )
