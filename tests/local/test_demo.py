"""The demonstration as a person sees it: twice the same, paid once, nothing left running."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from orchestration.settings import REPOSITORY
from tests.local.stack import LocalStack, eventually, local_stack

pytestmark = pytest.mark.slow

NEWS = REPOSITORY / "data" / "sample" / "supplier_news_200.jsonl"
FOREIGN = {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": "1", "PGHOSTADDR": "192.0.2.1"}
CURRENT = "select * from marts.supplier_risk_current order by 1, 2, 3"


@pytest.fixture
def stack() -> Iterator[LocalStack]:
    with local_stack() as stack:
        yield stack


def demonstrate(stack: LocalStack) -> str:
    shell = {**stack.env, **FOREIGN, "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "demo", str(NEWS)],
        env=shell,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert stack.processes("-") == []
    assert "none is lost" in done.stdout
    return done.stdout


def number(pattern: str, said: str) -> int:
    found = re.search(pattern, said)
    assert found, said
    return int(found[1].replace(",", ""))


def test_a_second_demonstration_changes_no_score_and_pays_no_call_whatever_the_shell_says(
    stack: LocalStack,
) -> None:
    first = demonstrate(stack)
    assert number(r"([\d,]+) of them now", first) > 0
    assert "gap 0" in first
    served = re.search(r"serves the Dagster UI on the same data at (http://[^\s,]+),", first)
    assert served
    assert stack.up().address("webserver") == served[1]
    current = stack.rows(CURRENT)
    assert current
    stack.run("local", "down")
    second = demonstrate(stack)
    assert number(r"([\d,]+) of them now", second) == 0
    assert number(r"([\d,]+) duplicate", second) == 200
    stack.up()
    assert stack.rows(CURRENT) == current


def test_ctrl_c_ends_a_demonstration_promptly_with_nothing_left(stack: LocalStack) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", "demo", str(NEWS)],
        env=stack.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    eventually("a ready stack", lambda: (s := stack.state.read_stack()) and s.ready)
    eventually("news", lambda: stack.rows("select 1 from ingest.messages limit 1"))
    started = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=90)
    assert process.returncode == 130, output
    assert time.monotonic() - started < 60
    assert "Traceback" not in output
    assert stack.processes("-") == []
