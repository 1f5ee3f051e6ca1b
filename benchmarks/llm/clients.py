"""Starts measured processes, lets them begin together, and adds up what they spent."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from orchestration.settings import REPOSITORY, LlmSettings


@dataclass(frozen=True)
class Spent:
    """By all processes of one side: calls, seconds from the first begin to the last end, CPU."""

    calls: int
    seconds: float
    cpu_seconds: float


def environment(llm: LlmSettings, **values: object) -> dict[str, str]:
    """The LLM settings under the names that they are read by, and others of that kind.

    A setting that this version of the product does not have is left out.
    """
    plain = {"base_url": llm.base_url, "api_key": llm.api_key.get_secret_value()}
    known = {name: v for name, v in values.items() if name in LlmSettings.model_fields}
    settings = {**plain, "model": llm.model, **known}
    return {f"LLM_{name.upper()}": str(value) for name, value in settings.items()}


@contextmanager
def started(
    commands: Sequence[Sequence[str]], variables: Mapping[str, str]
) -> Iterator[list["subprocess.Popen[str]"]]:
    """Processes that are warm and wait; they end with this block."""
    processes = [
        subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    try:
        for process in processes:
            if _out(process).readline() != "ready\n":
                raise RuntimeError(f"a measured process did not get ready: {process.args!r}")
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def begin(processes: Sequence["subprocess.Popen[str]"]) -> None:
    """All at once."""
    for process in processes:
        if process.stdin:
            process.stdin.write("go\n")
            process.stdin.flush()


def results(processes: Sequence["subprocess.Popen[str]"]) -> Spent:
    """Wait for all of them."""
    lines = [_out(process).readline() for process in processes]
    if not all(lines):
        raise RuntimeError("a measured process ended without a result; its error is above")
    ended: list[dict[str, Any]] = [json.loads(line) for line in lines]
    seconds = max(one["end"] for one in ended) - min(one["begin"] for one in ended)
    return Spent(sum(one["calls"] for one in ended), seconds, sum(one["cpu"] for one in ended))


def commands(side: str, processes: int, *options: object) -> list[list[str]]:
    """Of client.py, one for each process."""
    base = [sys.executable, "-m", "benchmarks.llm.client", side, *map(str, options)]
    return [
        [*base, "--number", str(number), "--processes", str(processes)]
        for number in range(processes)
    ]


def _out(process: "subprocess.Popen[str]") -> IO[str]:
    if process.stdout is None:
        raise RuntimeError("the process was started without a pipe")
    return process.stdout
