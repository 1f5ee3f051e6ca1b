"""A database with a synthetic world in it, and what is done to it: news come, marts are built."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.marts import generator
from benchmarks.marts.building import Build, build
from benchmarks.parts import Parts
from orchestration.resources.postgres import connect
from orchestration.settings import PostgresSettings

# Today: the tests of the marts compare with what is current now only on that day.
AS_OF = datetime.now(UTC).date()
NEW_FINDINGS = 1_000


@dataclass(frozen=True)
class World:
    """So many findings, and two connections to them. All builds are as of the same day."""

    findings: int
    database: PostgresSettings
    superuser: psycopg.Connection[Any]
    folder: Path

    def add_news(self) -> None:
        """A micro-batch of 1,000 findings, written as the pipeline."""
        with connect(self.database, "benchmark") as pipeline:
            generator.add_findings(pipeline, NEW_FINDINGS, AS_OF)

    def refresh(self) -> Build:
        """As the job of the marts does it."""
        return build(self.database, self.folder, AS_OF)

    def build_anew(self) -> Build:
        """All of it, whatever is there."""
        return build(self.database, self.folder, AS_OF, "--full-refresh")


@contextmanager
def filled(parts: Parts, findings: int) -> Iterator[World]:
    """A new world, dropped afterwards."""
    with parts.database() as database, parts.cluster.connect(database.database) as superuser:
        generator.fill(superuser, findings, AS_OF)
        yield World(findings, database, superuser, parts.folder / "dbt")
