"""`dbt build` on a database, as the job of the marts runs it, and what its nodes took."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from benchmarks.parts import postgres_environment
from orchestration.settings import PostgresSettings
from orchestration.transformation.project import DBT, FOLDER

_COMMAND = ("build", "--exclude-resource-type", "unit_test", "--quiet")


@dataclass(frozen=True)
class Node:
    """One seed, model or test: when it ran, and the SQL that dbt made of it, if any."""

    name: str
    kind: str
    begin: datetime
    end: datetime
    code: str | None

    @property
    def seconds(self) -> float:
        """From its start to its end, compilation included."""
        return (self.end - self.begin).total_seconds()


@dataclass(frozen=True)
class Build:
    """What one `dbt build` ran."""

    nodes: Sequence[Node]

    @property
    def seconds(self) -> float:
        """From the start of the first node to the end of the last: dbt's own start is not in it."""
        begin = min(node.begin for node in self.nodes)
        return (max(node.end for node in self.nodes) - begin).total_seconds()

    @property
    def slowest(self) -> list[Node]:
        """All nodes, the slowest first."""
        return sorted(self.nodes, key=lambda node: node.seconds, reverse=True)


def build(database: PostgresSettings, folder: Path, as_of: date, *options: str) -> Build:
    """Build and test all models; `folder` holds what dbt keeps from one build to the next.

    Raises RuntimeError with what failed.
    """
    target = folder / database.database
    places = ["--project-dir", str(FOLDER), "--profiles-dir", str(FOLDER)]
    places += ["--target-path", str(target), "--log-path", str(target)]
    day = ["--vars", json.dumps({"as_of_date": as_of.isoformat()})]
    done = subprocess.run(
        [DBT, *_COMMAND, *day, *options, *places],
        env={**os.environ, **postgres_environment(database)},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"`dbt build` failed:\n{done.stdout[-4_000:]}{done.stderr[-1_000:]}")
    results = json.loads((target / "run_results.json").read_text())["results"]
    return Build([_node(result) for result in results if result["timing"]])


def _node(result: Mapping[str, Any]) -> Node:
    kind, _, name = result["unique_id"].split(".")[:3]
    begins = [_moment(step["started_at"]) for step in result["timing"]]
    ends = [_moment(step["completed_at"]) for step in result["timing"]]
    return Node(name, kind, min(begins), max(ends), result.get("compiled_code"))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
