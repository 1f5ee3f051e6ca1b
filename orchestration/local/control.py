"""Starting, watching and stopping the stack, in this process or in one of its own."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import filelock
import psutil

from orchestration.errors import StackError, UsageError
from orchestration.ingestion.landing import land_from
from orchestration.local.postgres import remove_cluster
from orchestration.local.processes import stop
from orchestration.local.stack import Stack, catch_stop_signals
from orchestration.local.state import StackFile, State
from orchestration.resources.postgres import connect
from orchestration.resources.pubsub import GooglePubsub
from orchestration.settings import IngestSettings, PostgresSettings, PubsubSettings, environment
from orchestration.terminal import out, show_stack

_DRAIN_SECONDS = 30.0
_DOWN_SECONDS = 90.0


def run_stack(state: State, until: Callable[[Stack], None]) -> None:
    """Start the stack, do `until`, stop the stack, whatever happens in between.

    Raises UsageError when another process starts or stops this stack.
    """
    state.create()
    try:
        with filelock.FileLock(state.lock_file, timeout=0):
            _sweep(state)
            stack = Stack(state, say=lambda text: out.print(text, style="dim", markup=False))
            catch_stop_signals(stack)
            try:
                stack.up()
                until(stack)
            except KeyboardInterrupt:
                out.print("stopping")
            finally:
                _stop(stack)
    except filelock.Timeout:
        raise UsageError(f"Another process starts or stops the stack of {state.folder}.") from None


def watch(stack: Stack) -> None:
    """Show the stack and keep it running until it is told to stop."""
    running = stack.started()
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


def stop_running(state: State) -> str:
    """Stop the stack of a state folder, wherever its supervisor is; says what happened."""
    running = state.read_stack()
    if running is None:
        return "The stack does not run."
    state.stop_note.unlink(missing_ok=True)
    if running.is_alive:
        psutil.Process(running.supervisor_pid).terminate()
        deadline = time.monotonic() + _DOWN_SECONDS
        while running.is_alive and time.monotonic() < deadline:
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
        if stack.is_ready and stack.owns_emulator:
            stack.stop_feeding()
            note = _drain()
            stack.state.stop_note.write_text(note)
            out.print(note, style="dim", markup=False)
    finally:
        stack.down()


def _drain() -> str:
    """Land what is still in the emulator, whose messages end with it; says what was lost."""
    limits = IngestSettings.load()
    with (
        GooglePubsub(PubsubSettings.load()) as broker,
        connect(PostgresSettings.load(), "local down") as connection,
    ):
        landed = land_from(broker, connection, _DRAIN_SECONDS, limits.max_document_bytes)
    return f"The subscription is drained: {sum(landed.values())} messages landed on the way down."


def _wait_until_ready(state: State, process: "subprocess.Popen[bytes]", log: Path) -> StackFile:
    with out.status("starting the local stack") as spinner:
        while process.poll() is None:
            running = state.read_stack()
            if running and running.ready:
                return running
            if running and running.parts:
                spinner.update(f"starting {running.parts[-1].name}")
            time.sleep(0.1)
    last_words = log.read_text(errors="replace").strip().splitlines()[-8:]
    raise StackError("The stack did not start:\n" + "\n".join(last_words))
