"""A whole local stack of a test's own, driven as a person would: by commands and by HTTP."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg

from orchestration.local.dagster_parts import graphql
from orchestration.local.processes import STACK_MARK
from orchestration.local.state import StackFile, State
from orchestration.resources.postgres import Connection, connect
from orchestration.settings import PostgresSettings
from tests.conftest import settings_of_the_developer


class LocalStack:
    """One state folder; `run` gives its commands."""

    def __init__(self, folder: Path) -> None:
        self.state = State(folder)
        developers = settings_of_the_developer()
        kept = {name: value for name, value in os.environ.items() if name not in developers}
        self.env = {**kept, "SUPPLIER_RISK_STATE": str(folder), "NO_COLOR": "1"}

    def run(self, *arguments: str, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "orchestration.cli", *arguments],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def up(self) -> StackFile:
        done = self.run("local", "up", "--detach")
        assert done.returncode == 0, done.stdout + done.stderr
        return self.running()

    def running(self) -> StackFile:
        running = self.state.read_stack()
        assert running is not None
        return running

    def pid(self, part: str) -> int:
        return next(p.stop.pid for p in self.running().parts if p.name == part)

    def graphql(self, query: str, **variables: Any) -> dict[str, Any]:
        port = int(self.running().address("webserver").rpartition(":")[2])
        return graphql(port, query, variables)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        values = {
            key.removeprefix("POSTGRES_").lower(): value
            for key, value in self.state.read_env().items()
            if key.startswith("POSTGRES_")
        }
        with connect(PostgresSettings.model_validate(values), "test") as connection:
            yield connection

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            return [tuple(row.values()) for row in connection.execute(query)]

    def publish(self, batch_id: str, *texts: str) -> None:
        self.publish_records(batch_id, *[{"text": text} for text in texts])

    def publish_records(self, batch_id: str, *records: dict[str, Any]) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.write("".join(json.dumps(record) + "\n" for record in records))
            file.flush()
            done = self.run("publish", file.name, "--batch-id", batch_id)
        assert done.returncode == 0, done.stderr

    def processes(self, stack_id: str) -> list[psutil.Process]:
        """Everything alive that belongs to a stack, PostgreSQL's own children included."""
        found = []
        for process in psutil.process_iter():
            try:
                marked = process.environ().get(STACK_MARK) == stack_id
                ours = str(self.state.folder) in " ".join(process.cmdline())
                if (marked or ours) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return [process for process in found if process.pid != os.getpid()]


def eventually(what: str, check: Callable[[], Any], seconds: float = 120) -> Any:
    """The first truthy result of `check`, asked again and again."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            if last := check():
                return last
        except (psycopg.Error, OSError, RuntimeError) as error:
            last = error
        time.sleep(0.3)
    raise AssertionError(f"not within {seconds:.0f} s: {what}; last: {last!r}")


@contextmanager
def local_stack() -> Iterator[LocalStack]:
    """A stack that is not started yet, and is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="supplier-risk-stack-") as folder:
        Path(folder).chmod(0o711)
        stack = LocalStack(Path(folder) / "state")
        try:
            yield stack
        finally:
            stack.run("local", "down")
            stack.run("local", "remove", "--yes")


def as_set(rows: Sequence[tuple[Any, ...]]) -> set[Any]:
    """The first column."""
    return {row[0] for row in rows}
