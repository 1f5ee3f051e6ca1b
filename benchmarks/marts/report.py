"""What the figures do not say: which nodes took longest, and the plan of the slowest model."""

import psycopg

from benchmarks.marts.building import Build
from orchestration.settings import PostgresSettings

_NODES = 10
_WIDTH = 160


def report(title: str, build: Build, database: PostgresSettings) -> str:
    """Call it right after the build: plans depend on what is in the tables."""
    lines = [f"{title}: {build.seconds:.1f} s", ""]
    lines += [f"{node.seconds:8.2f} s  {node.kind} {node.name}" for node in build.slowest[:_NODES]]
    slowest = next(node for node in build.slowest if node.kind == "model" and node.code)
    lines += ["", f"The slowest model, {slowest.name}, as a select:", ""]
    return "\n".join([*lines, *_plan(database, slowest.code or ""), "", ""])


def _plan(database: PostgresSettings, query: str) -> list[str]:
    """As dbt's role, which has settings of its own."""
    with psycopg.connect(
        host=database.host,
        port=database.port,
        dbname=database.database,
        user="transformer",
        password=database.transformer_password.get_secret_value(),
    ) as connection:
        rows = connection.execute(f"explain (analyze, buffers) {query}".encode()).fetchall()
    return [line[:_WIDTH] for (line,) in rows]
