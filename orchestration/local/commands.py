"""`supplier-risk local ...` and `supplier-risk demo` as commands; control.py does the work.

The work is imported when a command runs, so that `supplier-risk status` starts quickly.
"""

import json
from typing import Annotated

import typer
from rich.text import Text

from orchestration.errors import UsageError
from orchestration.local.state import State
from orchestration.settings import state_folder
from orchestration.terminal import out, show_stack

local = typer.Typer(no_args_is_help=True, help="The embedded stack: everything on this machine.")


@local.command()
def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when all is ready.")
    ] = False,
) -> None:
    """Start PostgreSQL, Pub/Sub emulator, offline analyst and Dagster; Ctrl-C stops them."""
    from orchestration.local import control

    state = State(state_folder())
    running = state.read_stack()
    if running and running.is_alive:
        out.print("The stack already runs.")
        show_stack(running.rows(), running.address("webserver"))
    elif detach:
        control.start_detached(state)
    else:
        control.run_stack(state, until=control.watch)


@local.command()
def down() -> None:
    """Stop the stack. What PostgreSQL holds stays."""
    from orchestration.local import control

    out.print(control.stop_running(State(state_folder())), markup=False)


@local.command("status")
def local_status(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Which parts run, and where. Exit code 1 when the stack does not run."""
    running = State(state_folder()).read_stack()
    is_up = running is not None and running.is_alive
    if as_json:
        parts = {part.name: part.address for part in running.parts} if running and is_up else {}
        ready = bool(running and running.ready)
        print(json.dumps({"running": is_up, "ready": ready, "parts": parts}))
    elif running and is_up:
        show_stack(running.rows(), running.address("webserver"))
    else:
        out.print("The stack does not run. Start it with `supplier-risk local up`.")
    if not is_up:
        raise typer.Exit(1)


@local.command()
def logs(
    part: Annotated[str, typer.Argument(help="A part, such as daemon; default: all.")] = "",
    lines: Annotated[int, typer.Option("--lines", "-n", help="Of each log.", min=1)] = 40,
) -> None:
    """The end of the parts' logs."""
    folder = State(state_folder()).logs
    files = {file.stem: file for file in sorted(folder.glob("*.log"))}
    if part and part not in files:
        known = ", ".join(files) or "none yet"
        raise UsageError(f"There is no log of {part!r} in {folder}; there are: {known}")
    for name in [part] if part else files:
        out.rule(name, align="left")
        tail = files[name].read_text(errors="replace").splitlines()[-lines:]
        out.print(Text.from_ansi("\n".join(tail)), soft_wrap=True)


@local.command()
def remove() -> None:
    """Delete all that the stack holds: database, logs, settings. It must be down."""
    from orchestration.local import control

    out.print(control.remove(State(state_folder())), markup=False)


def demo() -> None:
    """Real news, from publishing to risk scores: start the stack, show the result, stop it."""
    from orchestration.local import control
    from orchestration.local.demo import run

    state = State(state_folder())
    running = state.read_stack()
    if running and running.is_alive:
        out.print("Using the stack that already runs; it will keep running.")
        run(out, running)
    else:
        control.run_stack(state, until=lambda stack: run(out, stack.started()))
