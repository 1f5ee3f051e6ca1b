"""Watches over processes: starts them, waits until they answer, restarts what dies, stops all.

Which processes these are, and in which order they start, is in stack.py.
"""

import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import psutil

from orchestration.errors import StackError
from orchestration.local.processes import Part, StopOrder, start, start_guardian
from orchestration.local.state import Running, StackFile, State

START_SECONDS = 90.0
MAX_RESTARTS = 5
STEADY_SECONDS = 600.0


@dataclass
class Child:
    """A part that is watched, with what to do whenever it has just started.

    `is_ready` is asked with the time of the start (seconds since 1970), for a part whose
    predecessor's signs of life are still to be seen.
    """

    part: Part
    address: str
    is_ready: Callable[[float], bool]
    on_ready: Callable[[], None]
    process: psutil.Popen
    restarts: int = 0
    started_at: float = field(default_factory=time.time)


class Supervisor:
    """The processes of one stack, in one state folder."""

    def __init__(self, state: State, say: Callable[[str], None]) -> None:
        self.state = state
        self.say = say
        self.stack_id = secrets.token_hex(8)
        self.children: list[Child] = []
        self.stopping = threading.Event()
        self._guardian: subprocess.Popen[bytes] | None = None

    def guard(self) -> None:
        """From here on, nothing that is launched outlives this process."""
        self.write_stack(ready=False)
        self._guardian = start_guardian(self.stack_id, self.state.stack_file)

    def launch(
        self,
        part: Part,
        address: str,
        is_ready: Callable[[float], bool],
        on_ready: Callable[[], None] = lambda: None,
    ) -> Child:
        """Start a part; it is watched from now on. Raises StackError if it cannot be started."""
        child = Child(part, address, is_ready, on_ready, self._started(part))
        self.children.append(child)
        self.write_stack(ready=False)
        return child

    def until_ready(self, child: Child) -> None:
        """Wait for a part. Raises StackError if it does not come, KeyboardInterrupt on a stop."""
        deadline = time.monotonic() + START_SECONDS
        while not self.stopping.is_set():
            code = child.process.poll()
            if code is not None:
                child = self._start_again(child, f"ended with code {code} while starting")
            elif child.is_ready(child.started_at):
                child.on_ready()
                self.say(f"{child.part.name} is ready")
                return
            elif time.monotonic() > deadline:
                raise StackError(
                    f"{child.part.name} did not become ready in {START_SECONDS:.0f} s; "
                    f"read its log: {child.part.log}"
                )
            time.sleep(0.05)
        raise KeyboardInterrupt

    def watch(self) -> None:
        """Restart what ends by itself, until `stopping` is set."""
        with suppress(KeyboardInterrupt):
            while True:
                self.pause(0.3)

    def pause(self, seconds: float) -> None:
        """Let time pass, and restart what ended. Raises KeyboardInterrupt on a stop."""
        if self.stopping.wait(seconds):
            raise KeyboardInterrupt
        for child in list(self.children):
            if child.process.poll() is not None:
                self._mend(child)
                self.write_stack(ready=True)

    def down(self) -> None:
        """Stop everything; the guardian does it, this process reaps."""
        if self._guardian is None or self._guardian.stdin is None:
            return
        self._guardian.stdin.close()
        while self._guardian.poll() is None:
            for child in self.children:
                child.process.poll()
            time.sleep(0.05)
        for child in self.children:
            child.process.poll()

    def write_stack(self, ready: bool) -> None:
        """Tell other processes what runs."""
        own = psutil.Process(os.getpid())
        parts = tuple(Running(c.part.name, c.address, _stop_order(c)) for c in self.children)
        self.state.write_stack(StackFile(self.stack_id, own.pid, own.create_time(), ready, parts))

    def _mend(self, child: Child) -> None:
        """Start again what ended. The others are not kept waiting for an optional part, and do not
        stop when it keeps ending or cannot be started."""
        name = child.part.name
        self.say(f"{name} ended with code {child.process.returncode}; starting it again")
        if not child.part.optional:
            self.until_ready(self._start_again(child, "keeps ending"))
            return
        try:
            self._start_again(child, "keeps ending")
        except StackError as error:
            self.children.remove(child)
            self.say(f"{name} is given up; the others go on. {error}")

    def _started(self, part: Part) -> psutil.Popen:
        try:
            return start(part, self.stack_id)
        except OSError as error:
            raise StackError(
                f"{part.name} cannot be started: {error}. What to do: see that the file is there "
                "and may be used (make installs what is missing), then start it again."
            ) from error

    def _start_again(self, child: Child, what: str) -> Child:
        restarts = 0 if time.time() - child.started_at > STEADY_SECONDS else child.restarts
        if restarts >= MAX_RESTARTS:
            raise StackError(f"{child.part.name} {what}; read its log: {child.part.log}")
        self.stopping.wait(0.2 * 2**restarts)
        fresh = replace(
            child,
            process=self._started(child.part),
            restarts=restarts + 1,
            started_at=time.time(),
        )
        self.children[self.children.index(child)] = fresh
        self.write_stack(ready=False)
        return fresh


def _stop_order(child: Child) -> StopOrder:
    created: Any = child.process.create_time() if child.process.is_running() else 0.0
    return StopOrder(
        child.part.name, child.process.pid, created, child.part.stop_signal, child.part.patience
    )


def catch_stop_signals(supervisor: Supervisor) -> None:
    """SIGINT and SIGTERM end `watch` and a start under way; a second one changes nothing."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: supervisor.stopping.set())
