"""The pages of `dbt docs`: what every table and column means, and what is made of what.

They are read from the stack's own database and served to this machine alone.
"""

import subprocess
import tempfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from orchestration.errors import StackError, UsageError
from orchestration.local.state import State
from orchestration.settings import bare_environment
from orchestration.transformation.project import DBT, FOLDER

PAGES = ("index.html", "manifest.json", "catalog.json")
_NEEDED_BY_DBT = (
    "POSTGRES_HOST",
    "POSTGRES_PORT",
    "POSTGRES_DATABASE",
    "POSTGRES_TRANSFORMER_PASSWORD",
)


def generate(state: State) -> Path:
    """Write the pages of the database as it stands; returns their folder.

    Only these files are in it: dbt's log and its other files are nobody's to read over HTTP.
    Raises StackError with dbt's words.
    """
    folder = state.folder / "dbt-docs"
    known = state.read_env()
    with tempfile.TemporaryDirectory(dir=state.folder, prefix="dbt-docs-") as target:
        paths: list[str | Path] = ["--project-dir", FOLDER, "--profiles-dir", FOLDER]
        paths += ["--target-path", target, "--log-path", target]
        done = subprocess.run(
            [DBT, "docs", "generate", "--quiet", *paths],
            env={**bare_environment(), **{name: known[name] for name in _NEEDED_BY_DBT}},
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise StackError(f"`dbt docs generate` failed:\n{done.stdout}{done.stderr}")
        folder.mkdir(exist_ok=True)
        for name in PAGES:
            (Path(target) / name).replace(folder / name)
    return folder


def open_server(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of the folder on 127.0.0.1 (port 0: any that is free). Raises UsageError."""
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(_Pages, directory=str(folder)))
    except OSError as error:
        raise UsageError(
            f"Port {port} of 127.0.0.1 cannot be used: {error.strerror}. "
            "Choose another with --port, or leave it out: then any free one is taken."
        ) from None


class _Pages(SimpleHTTPRequestHandler):
    """Says nothing of each request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name it has there
        pass
