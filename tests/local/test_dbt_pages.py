"""`supplier-risk local dbt-docs`: dbt's pages of a real database, for this machine alone."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests

from orchestration.errors import UsageError
from orchestration.local.dbt_pages import PAGES, open_server
from orchestration.local.state import StackFile
from orchestration.settings import PostgresSettings
from tests.conftest import PASSWORD
from tests.local.stack import LocalStack


@pytest.fixture
def stack(tmp_path: Path, database: PostgresSettings) -> LocalStack:
    """A stack of which only PostgreSQL runs, kept up by this very process."""
    stack = LocalStack(tmp_path / "state")
    stack.state.create()
    stack.state.write_env(
        {
            "POSTGRES_HOST": database.host,
            "POSTGRES_PORT": str(database.port),
            "POSTGRES_DATABASE": database.database,
            "POSTGRES_TRANSFORMER_PASSWORD": PASSWORD,
        }
    )
    pretend(stack, ready=True)
    return stack


def pretend(stack: LocalStack, ready: bool) -> None:
    own = psutil.Process()
    stack.state.write_stack(StackFile("id", own.pid, own.create_time(), ready, ()))


@contextmanager
def served(stack: LocalStack) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", "local", "dbt-docs"],
        env=stack.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # a shell that starts the tests in the background lets all of them ignore Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        assert said.startswith("dbt docs: http://127.0.0.1:"), said + process.stdout.read()
        yield process, said.removeprefix("dbt docs: ").strip()
    finally:
        process.kill()
        process.communicate()


def test_the_pages_are_served_to_this_machine_alone_until_ctrl_c(stack: LocalStack) -> None:
    with served(stack) as (process, address):
        pages = {name: requests.get(address + name, timeout=10) for name in PAGES}
        assert {page.status_code for page in pages.values()} == {200}
        assert requests.get(address, timeout=10).content == pages["index.html"].content
        manifest = json.loads(pages["manifest.json"].content)
        assert "model.supplier_risk.supplier_risk_current" in manifest["nodes"]
        assert manifest["metadata"]["send_anonymous_usage_stats"] is False
        findings = json.loads(pages["catalog.json"].content)["sources"][
            "source.supplier_risk.risk.findings"
        ]
        assert "quote" in findings["columns"]
        assert PASSWORD.encode() not in b"".join(page.content for page in pages.values())
        for other in ("dbt.log", "partial_parse.msgpack", "../stack.env"):
            assert requests.get(address + other, timeout=10).status_code == 404
        listening = [
            connection.laddr.ip
            for connection in psutil.Process(process.pid).net_connections()
            if connection.status == psutil.CONN_LISTEN
        ]
        assert listening == ["127.0.0.1"]
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=20)
        assert process.returncode == 0, said
        assert "Traceback" not in said


def test_pages_without_a_database_fail_with_the_words_of_dbt(stack: LocalStack) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = str(taken.getsockname()[1])
        stack.state.write_env({**stack.state.read_env(), "POSTGRES_PORT": nobody})
        done = stack.run("local", "dbt-docs")
    assert done.returncode == 1
    assert "`dbt docs generate` failed" in done.stderr
    assert nobody in done.stderr
    assert not (stack.state.folder / "dbt-docs").exists()


def test_without_a_stack_that_is_up_the_command_says_how_to_start_it(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path / "state")
    stack.state.create()
    done = stack.run("local", "dbt-docs")
    assert done.returncode == 2
    assert "make up" in done.stderr
    pretend(stack, ready=False)
    done = stack.run("local", "dbt-docs")
    assert done.returncode == 1
    assert "starting" in done.stderr


def test_a_port_that_is_taken_is_wrong_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"Port {port} .* --port"):
            open_server(tmp_path, port)
