"""One page for each call to the LLM, on 127.0.0.1: where the links in Dagster's metadata lead."""

import argparse
import io
from pathlib import Path

import requests
import uvicorn
from rich.console import Console
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from orchestration.local.processes import Part, python_part
from orchestration.resources.postgres import connect
from orchestration.scoring.ledger import find_call
from orchestration.settings import STATE_VARIABLE, PostgresSettings
from orchestration.terminal import call_parts

_NOTHING_RUNS_HERE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


def part(port: int, log: Path, state: Path) -> Part:
    """The pages' HTTP server; it finds the database by the state folder's stack.env."""
    return python_part("calls", __name__, port, log, {STATE_VARIABLE: str(state)})


def is_ready(port: int) -> bool:
    """Whether the server answers."""
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=2).ok
    except requests.RequestException:
        return False


def build_app() -> Starlette:
    """The ASGI application; it reads the database at each request."""
    return Starlette(routes=[Route("/", _index), Route("/calls/{response_id:int}", _call)])


def _index(_request: Request) -> Response:
    return PlainTextResponse("A call: /calls/NUMBER, as in marts.risk_evidence.response_id.\n")


def _call(request: Request) -> Response:
    response_id = request.path_params["response_id"]
    with connect(PostgresSettings.load(), "call page") as connection:
        found = find_call(connection, response_id)
    if found is None:
        return PlainTextResponse(f"There is no answer {response_id}.\n", status_code=404)
    page = Console(record=True, file=io.StringIO(), width=120)
    for section in call_parts(found):
        page.print(section)
    html = page.export_html(inline_styles=True)
    return HTMLResponse(html, headers=_NOTHING_RUNS_HERE)


def main() -> None:
    """Serve on 127.0.0.1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvicorn.run(build_app(), host="127.0.0.1", port=parser.parse_args().port, log_level="warning")


if __name__ == "__main__":
    main()
