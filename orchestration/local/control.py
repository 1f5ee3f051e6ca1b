"""Starting, watching and stopping the stack, in this process or in one of its own."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import filelock
import psutil
import psycopg

from orchestration.errors import BrokerError, StackError, UsageError
from orchestration.local.draining import drain, open_published
from orchestration.local.postgres import remove_cluster
from orchestration.local.processes import stop
from orchestration.local.stack import Stack
from orchestration.local.state import StackFile, State
from orchestration.local.supervisor import catch_stop_signals
from orchestration.resources.postgres import connect
from orchestration.resources.pubsub import GooglePubsub
from orchestration.settings import (
    IngestSettings,
    PostgresSettings,
    PubsubSettings,
    environment,
    trust_the_stack_alone,
)
from orchestration.terminal import out, show_stack

_DOWN_SECONDS = 120.0


def run_stack(state: State, until: Callable[[Stack], None]) -> bool:
    """Start the stack, do `until`, stop the stack, whatever happens in between.

    Returns False if a stop signal came before `until` was done. Raises UsageError when another
    process starts or stops this stack.
    """
    trust_the_stack_alone()
    state.create()
    try:
        with filelock.FileLock(state.lock_file, timeout=0):
            _sweep(state)
            stack = Stack(state, say=lambda text: out.print(text, style="dim", markup=False))
            catch_stop_signals(stack)
            try:
                stack.up()
                until(stack)
                return True
            except KeyboardInterrupt:
                out.print("stopping")
                return False
            finally:
                _stop(stack)
    except filelock.Timeout:
        raise UsageError(f"Another process starts or stops the stack of {state.folder}.") from None


def watch(stack: Stack) -> None:
    """Show the stack and keep it running until it is told to stop."""
    running = stack.state.started()
    show_stack(running.rows(), running.address("webserver"))
    out.print("Ctrl-C stops the stack.", style="dim")
    stack.watch()


def start_detached(state: State) -> None:
    """Start a supervisor in a session of its own and wait until all is ready."""
    state.create()
    log = state.logs / "supervisor.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "local", "up"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment(),
        )
    try:
        running = _wait_until_ready(state, process, log)
    except KeyboardInterrupt:
        process.terminate()
        process.wait(_DOWN_SECONDS)
        raise
    show_stack(running.rows(), running.address("webserver"))
    out.print("Stop it with `make down` (supplier-risk local down).", style="dim")


def stop_running(state: State, patience: float = _DOWN_SECONDS) -> str:
    """Stop the stack of a state folder, wherever its supervisor is; says what happened.

    Raises StackError when the supervisor outlives `patience` (seconds).
    """
    running = state.read_stack()
    if running is None:
        return "The stack does not run."
    state.stop_note.unlink(missing_ok=True)
    if running.is_alive:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(running.supervisor_pid).terminate()
        deadline = time.monotonic() + patience
        while running.is_alive:
            if time.monotonic() > deadline:
                raise StackError(
                    f"The stack is not stopped: its supervisor, process {running.supervisor_pid}, "
                    f"still runs after {patience:.0f} s. Read {state.logs}, or kill it: "
                    "no process of the stack outlives it."
                )
            time.sleep(0.1)
    _sweep(state)
    note = state.stop_note.read_text() + "\n" if state.stop_note.exists() else ""
    return f"{note}The stack is stopped."


def remove(state: State) -> str:
    """Delete the state folder and the database. Raises UsageError while the stack runs."""
    running = state.read_stack()
    if running and running.is_alive:
        raise UsageError("The stack runs; stop it first with `supplier-risk local down`.")
    _sweep(state)
    remove_cluster(state.folder)
    state.remove()
    return f"{state.folder} is removed."


def _sweep(state: State) -> None:
    """Stop what a killed supervisor and its killed guardian may have left."""
    left = state.read_stack()
    if left is not None and not left.is_alive:
        stop(left.stack_id, [part.stop for part in reversed(left.parts)])
        state.stack_file.unlink(missing_ok=True)


def _stop(stack: Stack) -> None:
    try:
        if stack.holds_messages:
            note = _drain()
            stack.state.stop_note.write_text(note)
            out.print(note, style="dim", markup=False)
    finally:
        stack.down()


def _drain() -> str:
    settings = PubsubSettings.load()
    try:
        with (
            GooglePubsub(settings) as broker,
            open_published(settings.emulator_host or "") as published,
            connect(PostgresSettings.load(), "local down") as connection,
        ):
            return drain(broker, connection, published, IngestSettings.load().max_document_bytes)
    except (BrokerError, psycopg.Error) as error:
        return (
            "The subscription could not be drained; how many messages are lost is unknown, "
            f"publish the last ones again. {error}"
        )


def _wait_until_ready(state: State, process: "subprocess.Popen[bytes]", log: Path) -> StackFile:
    with out.status("starting the local stack") as spinner:
        while process.poll() is None:
            running = state.read_stack()
            if running is None or running.supervisor_pid != process.pid or not running.is_alive:
                running = None  # left by a stack that was killed
            if running and running.ready:
                return running
            if running and running.parts:
                spinner.update(f"starting {running.parts[-1].name}")
            time.sleep(0.1)
    last_words = log.read_text(errors="replace").strip().splitlines()[-8:]
    raise StackError("The stack did not start:\n" + "\n".join(last_words))
