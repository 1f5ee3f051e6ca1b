"""`supplier-risk local ...` and `supplier-risk demo` as commands; control.py does the work.

The work is imported when a command runs, so that `supplier-risk status` starts quickly.
"""

import json
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from orchestration.errors import StackError, UsageError
from orchestration.local.state import StackFile, State
from orchestration.settings import REPOSITORY, state_folder, trust_the_stack_alone
from orchestration.terminal import out, show_dashboards, show_stack

_SAMPLE = REPOSITORY / "data" / "sample" / "supplier_news.jsonl"
_INTERRUPTED = 130

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
        if running.ready:
            out.print("The stack already runs.")
        _show(running)
    elif detach:
        control.start_detached(state)
    elif not control.run_stack(state, until=control.watch):
        raise typer.Exit(_INTERRUPTED)


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
        ready = bool(running and is_up and running.ready)
        print(json.dumps({"running": is_up, "ready": ready, "parts": parts}))
    elif running and is_up:
        _show(running)
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
def remove(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete all that the stack holds: database, logs, settings. It must be down."""
    from orchestration.local import control

    folder = state_folder()
    if not yes:
        typer.confirm(f"Delete {folder} with its database, for good?", abort=True)
    out.print(control.remove(State(folder)), markup=False)


@local.command("dbt-docs")
def dbt_docs(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 0,
) -> None:
    """Pages on every model, column and test of the marts, until Ctrl-C; the stack must be up."""
    from orchestration.local.dbt_pages import generate, open_server

    state = State(state_folder())
    _require_ready(state, "the pages tell of its database")
    with out.status("dbt reads the project and the database"):
        folder = generate(state)
    with open_server(folder, port) as server:
        out.print(f"dbt docs: http://127.0.0.1:{server.server_port}/", markup=False)
        out.print("Ctrl-C stops.", style="dim")
        with suppress(KeyboardInterrupt):
            server.serve_forever()


@local.command("dashboards")
def local_dashboards() -> None:
    """Serve Superset with the dashboards of superset/ beside the running stack."""
    from orchestration.local import dashboards

    state = State(state_folder())
    _require_ready(state, "the dashboards show its database")
    with out.status("Superset takes in dashboards, roles and users"):
        changed = dashboards.provision(state)
        if changed:
            dashboards.reload(state)
    with out.status("Superset is starting"):
        address = dashboards.serve(state)
    show_dashboards(address, dashboards.logins(state), changed)


@local.command("llm")
def local_llm(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8090,
) -> None:
    """Serve a tiny real model until Ctrl-C, OpenAI-compatible; needs the extra local-llm."""
    from orchestration.local.llama import MODEL, serving

    with serving(port, state_folder() / "models") as base_url:
        out.print("Serving. To use it, in the environment of the other commands:")
        out.print(f"LLM_BASE_URL={base_url} LLM_MODEL={MODEL} LLM_API_KEY=local", markup=False)
        out.print("Its findings are noise: it proves that an engine fits, not what a model can do.")
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


def demo(
    news: Annotated[
        Path,
        typer.Argument(
            help="The documents to publish; default: all of data/sample.",
            show_default=False,
            exists=True,
        ),
    ] = _SAMPLE,
) -> None:
    """Real news, from publishing to risk scores: start the stack, show the result, stop it."""
    from orchestration.local import control
    from orchestration.local.demo import run

    trust_the_stack_alone()
    state = State(state_folder())
    running = state.read_stack()
    if running and running.is_alive:
        if not running.ready:
            raise StackError(_starting(running))
        out.print("Using the stack that already runs; it will keep running.")
        run(out, running, time.sleep, news)
    elif not control.run_stack(
        state, until=lambda stack: run(out, stack.state.started(), stack.pause, news)
    ):
        raise typer.Exit(_INTERRUPTED)


def _require_ready(state: State, why: str) -> None:
    running = state.read_stack()
    if running is None or not running.is_alive:
        raise UsageError(
            f"The stack does not run, and {why}. "
            "Start it with `make up` (supplier-risk local up), then do this again."
        )
    if not running.ready:
        raise StackError(_starting(running))


def _show(running: StackFile) -> None:
    if running.ready:
        show_stack(running.rows(), running.address("webserver"))
    else:
        out.print(_starting(running), markup=False)


def _starting(running: StackFile) -> str:
    """Also while a part that died is started again."""
    parts = ", ".join(part.name for part in running.parts) or "none"
    return (
        f"The stack is starting; parts so far: {parts}. "
        "`supplier-risk local status` says when all are ready."
    )
