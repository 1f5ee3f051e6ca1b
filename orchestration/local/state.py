"""The state folder's own files: ports and secrets that stay, and what runs at this moment."""

import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from orchestration.errors import StackError
from orchestration.local.processes import StopOrder, is_alive

PREFERRED_PORTS = {"webserver": 3000, "superset": 8088}


@dataclass(frozen=True)
class Running:
    """One part that was started: how it shows to a person and how to stop it."""

    name: str
    address: str
    stop: StopOrder


@dataclass(frozen=True)
class StackFile:
    """What `local up` tells other processes: its own pid, its parts, whether all are ready."""

    stack_id: str
    supervisor_pid: int
    supervisor_created: float
    ready: bool
    parts: tuple[Running, ...]

    @property
    def is_alive(self) -> bool:
        """Whether the supervisor runs."""
        return is_alive(self.supervisor_pid, self.supervisor_created)

    def rows(self) -> list[tuple[str, str, int]]:
        """Name, address and process id of each part."""
        return [(part.name, part.address, part.stop.pid) for part in self.parts]

    def address(self, part: str) -> str:
        """The address of a part. Raises StackError while it is not started yet."""
        for running in self.parts:
            if running.name == part:
                return running.address
        raise StackError(f"The stack is starting; its {part} is not there yet.")


class State:
    """Paths and files of one state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.dagster_home = folder / "dagster"
        self.dbt_target = folder / "dbt"
        self.stack_file = folder / "stack.json"
        self.env_file = folder / "stack.env"
        self.superset_env_file = folder / "superset.env"
        self.lock_file = folder / "lock"
        self.stop_note = folder / "last-stop.txt"
        self._ports_file = folder / "ports.json"
        self._dashboards_file = folder / "dashboards-wanted.txt"

    def create(self) -> None:
        """Make the folders. Other accounts may pass through (PostgreSQL), not look."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o711)
        self.logs.mkdir(exist_ok=True)
        self.logs.chmod(0o700)

    def read_env(self) -> dict[str, str]:
        """The values of stack.env; empty before the first start."""
        return _read_env(self.env_file)

    def write_env(self, values: Mapping[str, str]) -> None:
        """Replace stack.env in one step, readable by its owner only."""
        _write_env(self.env_file, values)

    def read_superset_env(self) -> dict[str, str]:
        """The values of superset.env; empty before the dashboards were first served."""
        return _read_env(self.superset_env_file)

    def write_superset_env(self, values: Mapping[str, str]) -> None:
        """Replace superset.env in one step, readable by its owner only."""
        _write_env(self.superset_env_file, values)

    def ask_for_dashboards(self, stack_id: str) -> None:
        """Leave word for the supervisor of this stack that Superset is to be served."""
        self._dashboards_file.write_text(stack_id)

    def take_wish_for_dashboards(self, stack_id: str) -> bool:
        """Whether somebody has asked this very stack to serve Superset; asked once, told once."""
        try:
            wish = self._dashboards_file.read_text()
        except FileNotFoundError:
            return False
        self._dashboards_file.unlink()
        return wish == stack_id

    def read_stack(self) -> StackFile | None:
        """What runs, or ran when the machine stopped; None after a clean stop."""
        try:
            content = json.loads(self.stack_file.read_text())
        except FileNotFoundError:
            return None
        parts = tuple(
            Running(part["name"], part["address"], StopOrder(**part["stop"]))
            for part in content.pop("parts")
        )
        return StackFile(parts=parts, **content)

    def started(self) -> StackFile:
        """What this process started. Raises StackError if another process stopped it meanwhile."""
        running = self.read_stack()
        if running is None:
            raise StackError("The stack was stopped by another process.")
        return running

    def write_stack(self, stack: StackFile) -> None:
        """Replace stack.json in one step."""
        with _replaced(self.stack_file) as file:
            json.dump(asdict(stack), file, indent=1)

    def ports(self, names: tuple[str, ...]) -> dict[str, int]:
        """A free port for each name: last time's, so that addresses stay, else a new one."""
        known: dict[str, int] = {}
        if self._ports_file.exists():
            known = json.loads(self._ports_file.read_text())
        chosen: dict[str, int] = {}
        for name in names:
            wanted = known.get(name) or PREFERRED_PORTS.get(name, 0)
            chosen[name] = _free_port(wanted, taken=set(chosen.values()))
        self._ports_file.write_text(json.dumps(chosen))
        return chosen

    def remove(self) -> None:
        """Delete the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _read_env(path: Path) -> dict[str, str]:
    return {key: value or "" for key, value in dotenv_values(path).items()}


def _write_env(path: Path, values: Mapping[str, str]) -> None:
    with _replaced(path) as file:
        file.write("".join(f"{key}='{value}'\n" for key, value in values.items()))


def _free_port(wanted: int, taken: set[int]) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            free = int(probe.getsockname()[1])
            if free not in taken:
                return free
    return _free_port(0, taken)


@contextmanager
def _replaced(path: Path) -> Iterator[Any]:
    partial = path.with_suffix(path.suffix + ".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        yield file
    partial.replace(path)
