"""Child processes that never outlive the stack: start them marked, find them, stop them.

Every process of a stack carries the stack's id in its environment, and so do its own children
(Dagster's runs, dbt). A guardian process notices the end of the supervisor, however it came, and
stops whatever carries the mark.
"""

import json
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from orchestration.settings import bare_environment

STACK_MARK = "SUPPLIER_RISK_STACK"
PART_MARK = "SUPPLIER_RISK_PART"
UNPRIVILEGED = "nobody"
_UNLISTED_PATIENCE = 5.0


@dataclass(frozen=True)
class Part:
    """One process of the stack. `patience` is how many seconds it gets to stop by itself.

    `env` is all that it gets besides the bare environment: no secret reaches a part by chance.
    The stack can do without an `optional` one.
    """

    name: str
    command: Sequence[str]
    log: Path
    env: Mapping[str, str]
    stop_signal: int = signal.SIGTERM
    patience: float = 10.0
    unprivileged: bool = False
    optional: bool = False


def python_part(
    name: str, module: str, port: int, log: Path, env: Mapping[str, str] | None = None
) -> Part:
    """A module of this package that serves on a port."""
    return Part(name, [sys.executable, "-m", module, "--port", str(port)], log, env=env or {})


@dataclass(frozen=True)
class StopOrder:
    """How to stop one part; the part of a stack file that the guardian needs."""

    part: str
    pid: int
    created: float
    stop_signal: int
    patience: float


def start(part: Part, stack_id: str) -> psutil.Popen:
    """Start a part in a session of its own, output appended to its log file."""
    drop: dict[str, Any] = {}
    if part.unprivileged and os.geteuid() == 0:
        account = pwd.getpwnam(UNPRIVILEGED)
        drop = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": ()}
    marks = {STACK_MARK: stack_id, PART_MARK: part.name}
    with part.log.open("ab") as log:
        return psutil.Popen(
            part.command,
            env={**bare_environment(), **part.env, **marks},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **drop,
        )


def members(stack_id: str, part: str | None = None) -> list[psutil.Process]:
    """The processes that carry the mark of this stack, and of this part if one is given."""
    found = []
    for process in psutil.process_iter():
        try:
            marks = process.environ()
        except psutil.Error:
            continue
        if marks.get(STACK_MARK) == stack_id and part in (None, marks.get(PART_MARK)):
            found.append(process)
    return found


def is_alive(pid: int, created: float) -> bool:
    """Whether the process that had this pid at `created` (seconds since 1970) still runs."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - created) < 1 and _runs(process)
    except psutil.NoSuchProcess:
        return False


def stop(stack_id: str, orders: Sequence[StopOrder]) -> None:
    """Stop the parts in the order given: a signal, the part's patience, then SIGKILL."""
    for order in orders:
        processes = members(stack_id, order.part)
        if is_alive(order.pid, order.created) and order.pid not in {p.pid for p in processes}:
            processes.append(psutil.Process(order.pid))
        _signal(processes, order.stop_signal)
        _wait(processes, order.patience)
        remaining = [*processes, *members(stack_id, order.part)]
        _signal(remaining, signal.SIGKILL)
        _wait(remaining, 5.0)


def _wait(processes: Sequence[psutil.Process], seconds: float) -> None:
    """Until all have ended, at most so long. A zombie that nobody reaps counts as ended."""
    deadline = time.monotonic() + seconds
    while any(_runs(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(0.05)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _signal(processes: Sequence[psutil.Process], number: int) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def start_guardian(stack_id: str, stack_file: Path) -> subprocess.Popen[bytes]:
    """Start the guardian. It acts when its standard input ends, that is when this process does."""
    return subprocess.Popen(
        [sys.executable, "-m", "orchestration.local.processes", stack_id, str(stack_file)],
        stdin=subprocess.PIPE,
        start_new_session=True,
        env=bare_environment(),
    )


def guard(stack_id: str, stack_file: Path) -> None:
    """Wait for the end of standard input, then stop what the stack file lists, the last first, and
    whatever else carries the mark."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    sys.stdin.read()
    if stack_file.exists():
        parts = json.loads(stack_file.read_text())["parts"]
        stop(stack_id, [StopOrder(**part["stop"]) for part in reversed(parts)])
        stack_file.unlink(missing_ok=True)
    unlisted = members(stack_id)
    _signal(unlisted, signal.SIGTERM)
    _wait(unlisted, _UNLISTED_PATIENCE)
    _signal(members(stack_id), signal.SIGKILL)


if __name__ == "__main__":
    guard(sys.argv[1], Path(sys.argv[2]))
