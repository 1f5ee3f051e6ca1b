"""Loading the code location, as each run does first, beside importing Dagster alone."""

import subprocess
import sys

from benchmarks.measuring import Figure, in_turns, spent_by
from benchmarks.parts import Parts
from orchestration.settings import REPOSITORY
from orchestration.transformation.project import ensure_manifest

_ROUNDS = 5


def run(_parts: Parts) -> list[Figure]:
    """Seconds until a new interpreter has it."""
    ensure_manifest()
    products, peers = in_turns(
        _ROUNDS,
        lambda: _seconds("import orchestration.definitions"),
        lambda: _seconds("import dagster, dagster_dbt"),
    )
    return [Figure("code location", "s", products, peers, "import dagster, dagster_dbt")]


def _seconds(code: str) -> float:
    command = [sys.executable, "-c", code]
    return spent_by(lambda: subprocess.run(command, cwd=REPOSITORY, check=True)).wall
