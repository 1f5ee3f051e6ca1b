"""`supplier-risk local ...` and `supplier-risk demo`: start, look at and stop the stack."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import filelock
import psutil
import typer
from rich.console import Console

from orchestration import terminal
from orchestration.errors import StackError, UsageError
from orchestration.ingestion.landing import land_from
from orchestration.local import demo as demonstration
from orchestration.local.postgres import remove_cluster
from orchestration.local.processes import stop
from orchestration.local.stack import Stack, catch_stop_signals
from orchestration.local.state import StackFile, State
from orchestration.resources.postgres import connect
from orchestration.resources.pubsub import GooglePubsub
from orchestration.settings import (
    IngestSettings,
    PostgresSettings,
    PubsubSettings,
    environment,
    state_folder,
)

local = typer.Typer(no_args_is_help=True, help="The embedded stack: everything on this machine.")
out = Console()
_DRAIN_SECONDS = 30.0
_DOWN_SECONDS = 90.0


@local.command()
def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when all is ready.")
    ] = False,
) -> None:
    """Start PostgreSQL, Pub/Sub emulator, offline analyst and Dagster; Ctrl-C stops them."""
    state = State(state_folder())
    running = state.read_stack()
    if running and running.is_alive:
        out.print("The stack already runs.")
        _show(running)
    elif detach:
        _start_detached(state)
    else:
        run_stack(state, until=_watch)


@local.command()
def down() -> None:
    """Stop the stack. What PostgreSQL holds stays."""
    state = State(state_folder())
    running = state.read_stack()
    if running is None:
        out.print("The stack does not run.")
        return
    if running.is_alive:
        supervisor = psutil.Process(running.supervisor_pid)
        supervisor.terminate()
        deadline = time.monotonic() + _DOWN_SECONDS
        while running.is_alive and time.monotonic() < deadline:
            time.sleep(0.1)
    else:
        stop(running.stack_id, [part.stop for part in reversed(running.parts)])
        state.stack_file.unlink(missing_ok=True)
    if state.stop_note.exists():
        out.print(state.stop_note.read_text().strip(), markup=False)
    out.print("The stack is stopped.")


@local.command("status")
def local_status(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Which parts run, and where. Exit code 1 when the stack does not run."""
    running = State(state_folder()).read_stack()
    is_up = running is not None and running.is_alive
    if as_json:
        parts = {part.name: part.address for part in running.parts} if running and is_up else {}
        print(
            json.dumps({"running": is_up, "ready": bool(running and running.ready), "parts": parts})
        )
    elif running and is_up:
        _show(running)
    else:
        out.print("The stack does not run. Start it with `supplier-risk local up`.")
    if not is_up:
        raise typer.Exit(1)


@local.command()
def logs(
    part: Annotated[str, typer.Argument(help="A part, such as daemon; default: all.")] = "*",
    lines: Annotated[int, typer.Option("--lines", "-n", help="Of each log.", min=1)] = 40,
) -> None:
    """The end of the parts' logs."""
    folder = State(state_folder()).logs
    files = sorted(folder.glob(f"{part}.log"))
    if not files:
        known = ", ".join(sorted(file.stem for file in folder.glob("*.log"))) or "none yet"
        raise UsageError(f"There is no log of {part!r} in {folder}; there are: {known}")
    for file in files:
        out.rule(file.stem, align="left")
        tail = file.read_text(errors="replace").splitlines()[-lines:]
        out.print("\n".join(tail), markup=False, highlight=False)


@local.command()
def remove() -> None:
    """Delete all that the stack holds: database, logs, settings. It must be down."""
    state = State(state_folder())
    running = state.read_stack()
    if running and running.is_alive:
        raise UsageError("The stack runs; stop it first with `supplier-risk local down`.")
    remove_cluster(state.folder)
    state.remove()
    out.print(f"{state.folder} is removed", markup=False)


def demo() -> None:
    """Real news, from publishing to risk scores: start the stack, show the result, stop it."""
    state = State(state_folder())
    running = state.read_stack()
    if running and running.is_alive:
        out.print("Using the stack that already runs; it will keep running.")
        demonstration.run(out, running)
    else:
        run_stack(state, until=lambda stack: demonstration.run(out, stack.started()))


def run_stack(state: State, until: Callable[[Stack], None]) -> None:
    """Start the stack, do `until`, stop the stack, whatever happens in between."""
    state.create()
    try:
        with filelock.FileLock(state.lock_file, timeout=0):
            state.stop_note.unlink(missing_ok=True)
            _sweep(state)
            stack = Stack(state, say=lambda text: out.print(text, style="dim", markup=False))
            catch_stop_signals(stack)
            try:
                stack.up()
                until(stack)
            except KeyboardInterrupt:
                pass
            finally:
                _stop(stack, state)
    except filelock.Timeout:
        raise UsageError(f"Another process starts or stops the stack of {state.folder}.") from None


def _watch(stack: Stack) -> None:
    _show(stack.started())
    out.print("Ctrl-C stops the stack.", style="dim")
    stack.watch()


def _sweep(state: State) -> None:
    """Stop what a killed supervisor and its killed guardian may have left."""
    left = state.read_stack()
    if left is not None:
        stop(left.stack_id, [part.stop for part in reversed(left.parts)])
        state.stack_file.unlink(missing_ok=True)


def _stop(stack: Stack, state: State) -> None:
    try:
        if stack.is_ready and stack.owns_emulator:
            stack.stop_feeding()
            note = _drain()
            state.stop_note.write_text(note)
            out.print(note, markup=False)
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


def _start_detached(state: State) -> None:
    state.create()
    log = state.logs / "supervisor.log"
    with log.open("ab") as output:
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
    _show(running)
    out.print("Stop it with `make down` (supplier-risk local down).", style="dim")


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


def _show(running: StackFile) -> None:
    parts = [(part.name, part.address, part.stop.pid) for part in running.parts]
    out.print(terminal.parts_table(parts))
    out.print(f"Dagster UI: {running.address('webserver')}", markup=False)
    if any(part.name == "analyst" for part in running.parts):
        out.print(
            "The offline analyst answers: an open word list, a stand-in for a model. "
            "Set LLM_BASE_URL, LLM_API_KEY and LLM_MODEL to use a real one.",
            markup=False,
        )
