"""The stub as a part that tests and benchmarks start: its process, and what it has served."""

import sys
from pathlib import Path
from typing import Any

import requests

from benchmarks.stub import MODEL
from orchestration.local.processes import Part
from orchestration.settings import REPOSITORY, LlmSettings

_SERVER = "benchmarks.stub.server"


def part(port: int, log: Path, *options: str) -> Part:
    """The stub on 127.0.0.1; server.py lists the options."""
    command = [sys.executable, "-m", _SERVER, "--port", str(port), *options]
    return Part("stub", command, log, env={"PYTHONPATH": str(REPOSITORY)})


def settings(port: int, **values: object) -> LlmSettings:
    """The LLM settings that lead to it."""
    base = {"base_url": f"http://127.0.0.1:{port}/v1", "api_key": "stub", "model": MODEL}
    return LlmSettings.model_validate(base | values)


def served(port: int) -> dict[str, Any]:
    """What it counted so far."""
    counts: dict[str, Any] = requests.get(f"http://127.0.0.1:{port}/served", timeout=5).json()
    return counts


def questions(port: int) -> dict[str, dict[str, int]]:
    """How often each question was received and answered."""
    found: dict[str, dict[str, int]] = requests.get(
        f"http://127.0.0.1:{port}/questions", timeout=5
    ).json()
    return found


def is_ready(port: int) -> bool:
    """Whether it answers."""
    try:
        return bool(served(port))
    except requests.RequestException:
        return False
