"""A synthetic world of findings, two years of them until a day, and a micro-batch of that day.

Everything follows from a seed: the same seed, size and day give the same rows in every database.
The SQL beside this file draws who is in the news when, then writes what the pipeline would have.
"""

from datetime import date
from pathlib import Path
from typing import Any

import psycopg

_SQL = Path(__file__).parent / "sql"
_WORLD = ("functions", "master", "drawing_of_world", "writing", "findings", "briefs", "history")
_BATCH = ("functions", "drawing_of_batch", "writing", "findings", "briefs")
FEWEST = 1_000


def fill(superuser: psycopg.Connection[Any], findings: int, as_of: date, seed: int = 7) -> None:
    """Fill an empty database with a world that holds as many findings, and analyze it.

    There is a pair for each hundred findings. Triggers and foreign keys are off meanwhile, hence
    the superuser. Raises ValueError where so few findings make no world.
    """
    if findings < FEWEST:
        raise ValueError(f"a world has {FEWEST:,} findings or more, not {findings:,}")
    with superuser.transaction():
        superuser.execute("set local session_replication_role = replica")
        superuser.execute("set local work_mem = '256MB'; set local jit = off")
        for name in _WORLD:
            _run(superuser, name, findings, as_of, seed)
            superuser.execute("analyze")
        superuser.execute("discard temporary")
    superuser.execute("vacuum")


def add_findings(
    connection: psycopg.Connection[Any], count: int, as_of: date, seed: int = 7
) -> None:
    """Add as many findings as the pipeline would write on that day, in one transaction: new
    documents about some 250 pairs, however many pairs there are, and the briefs of these."""
    with connection.transaction():
        for name in _BATCH:
            _run(connection, name, count, as_of, seed)
        connection.execute("discard temporary")


def _run(
    connection: psycopg.Connection[Any], name: str, findings: int, as_of: date, seed: int
) -> None:
    """One file. The client puts the values in, as several statements take none on the server."""
    query = (_SQL / f"{name}.sql").read_bytes()
    values = {"findings": findings, "as_of": as_of, "seed": seed}
    psycopg.ClientCursor(connection).execute(query, values)
