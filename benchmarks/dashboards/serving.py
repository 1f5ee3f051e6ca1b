"""Superset on a world of findings, provisioned and served as `make dashboards` does it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.marts.world import World
from benchmarks.parts import Parts, postgres_environment
from orchestration.local import dashboards
from orchestration.local.state import State


@dataclass(frozen=True)
class Superset:
    """Where it is, how the manager gets in, where answers are kept, and its charts by number."""

    address: str
    password: str
    cache: Path
    charts: Mapping[int, str]

    def forget(self) -> None:
        """Empty the data cache."""
        for file in self.cache.iterdir():
            file.unlink(missing_ok=True)


@contextmanager
def served(parts: Parts, world: World) -> Iterator[Superset]:
    """With a database of its own beside the world's; stopped afterwards."""
    name = f"superset_{world.findings}"
    state = State(parts.folder / name)
    state.create()
    superuser = {"POSTGRES_SUPERUSER_PASSWORD": parts.cluster.superuser_password}
    state.write_env(postgres_environment(world.database) | superuser)
    state.write_superset_env({"SUPERSET_POSTGRES_DATABASE": name})
    dashboards.provision(state)
    secrets = dashboards.secrets(state)
    with parts.cluster.connect(name) as connection:
        charts = connection.execute("select id, slice_name from slices").fetchall()
    make = partial(dashboards.part, state)
    with parts.serving(name, make, dashboards.is_ready) as port:
        yield Superset(
            f"http://127.0.0.1:{port}",
            secrets[dashboards.password_variable("manager")],
            Path(secrets["SUPERSET_CACHE_DIR"]),
            dict(charts),
        )
