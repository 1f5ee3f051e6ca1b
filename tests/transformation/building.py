"""dbt as the tests run it: the project is parsed once for a process, then built as the job does.

Snapshots hold every row of every mart, so that two ways to the same marts can be compared.
"""

import atexit
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest
from psycopg import sql

from orchestration.resources.postgres import Connection
from orchestration.settings import PostgresSettings
from orchestration.transformation.project import FOLDER

Snapshot = Mapping[str, Sequence[tuple[Any, ...]]]

_TARGET = tempfile.mkdtemp(prefix="supplier-risk-dbt-")
atexit.register(shutil.rmtree, _TARGET, ignore_errors=True)
_FOLDERS = ["--project-dir", str(FOLDER), "--profiles-dir", str(FOLDER)]
_OPTIONS = [*_FOLDERS, "--target-path", _TARGET, "--log-path", _TARGET, "--quiet"]


@cache
def _parsed() -> Manifest:
    parsed = dbtRunner().invoke(["parse", *_OPTIONS])
    assert isinstance(parsed.result, Manifest), parsed.exception
    return parsed.result


def manifest() -> Manifest:
    """The project as dbt reads it, with the database of this test instead of the first one's."""
    copy: Manifest = _parsed().deepcopy()  # type: ignore[no-untyped-call]
    database = PostgresSettings.load().database
    for node in [*copy.nodes.values(), *copy.sources.values()]:
        if node.relation_name:
            node.relation_name = node.relation_name.replace(f'"{node.database}"', f'"{database}"')
        node.database = database
    return copy


def dbt(*arguments: str, as_of: str, **variables: Any) -> dbtRunnerResult:
    """Run a command of dbt on the database that the environment names."""
    given = ", ".join(f"{name}: '{value}'" for name, value in variables.items())
    vars_given = f"{{as_of_date: '{as_of}'{', ' if given else ''}{given}}}"
    return dbtRunner(manifest=manifest()).invoke([*arguments, *_OPTIONS, "--vars", vars_given])


def failures(*arguments: str, as_of: str, **variables: Any) -> list[str]:
    """The names of what failed."""
    done = dbt(*arguments, as_of=as_of, **variables)
    assert done.exception is None, done.exception
    results: Any = done.result
    return [r.node.name for r in results if r.status in {"error", "fail", "runtime error"}]


def today() -> date:
    """The day on which the pipeline writes now; a constant would be wrong past midnight."""
    return datetime.now(UTC).date()


def build(as_of: str, *options: str) -> None:
    """Everything with its tests, as the job does; only what changed, where that is enough."""
    assert failures("build", "--exclude-resource-type", "unit_test", *options, as_of=as_of) == []


def refresh(as_of: str, **variables: Any) -> None:
    """As the job does after a first build, without the tests and without what cannot change."""
    assert (
        failures("run", "--select", "intermediate", "marts", "refresh", as_of=as_of, **variables)
        == []
    )


def rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    """What a query returns."""
    return [tuple(row.values()) for row in connection.execute(query)]


def snapshot(connection: Connection) -> Snapshot:
    """All rows of all marts, in an order that depends on nothing but them."""
    marts = rows(
        connection,
        "select table_name from information_schema.tables where table_schema = 'marts' order by 1",
    )
    return {
        name: [
            tuple(row.values())
            for row in connection.execute(
                sql.SQL("select * from marts.{0} order by {0}::text").format(sql.Identifier(name))
            )
        ]
        for (name,) in marts
    }


def differences(one: Snapshot, other: Snapshot) -> Mapping[str, Any]:
    """Of each mart that differs, some rows that only one of them has."""
    assert one.keys() == other.keys()
    return {
        name: {
            "only in the first": [row for row in one[name] if row not in other[name]][:3],
            "only in the second": [row for row in other[name] if row not in one[name]][:3],
        }
        for name in one
        if one[name] != other[name]
    }


def assert_a_full_build_gives_the_same(connection: Connection, as_of: str) -> None:
    """Builds everything anew, and compares what was there with what is there then."""
    refreshed = snapshot(connection)
    assert refreshed["supplier_risk_daily"], "nothing was compared"
    build(as_of, "--full-refresh")
    assert differences(refreshed, snapshot(connection)) == {}
