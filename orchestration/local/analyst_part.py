"""The offline analyst as a part of the stack: its process, its settings, whether it answers."""

from pathlib import Path

import requests

from orchestration.local.analyst import MODEL
from orchestration.local.processes import Part, python_part


def part(port: int, log: Path) -> Part:
    """The analyst's HTTP server on 127.0.0.1."""
    return python_part("analyst", "orchestration.local.analyst.server", port, log)


def environment(port: int) -> dict[str, str]:
    """The LLM settings that point to the analyst. It costs nothing, and its price says so."""
    return {
        "LLM_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "LLM_API_KEY": "offline",
        "LLM_MODEL": MODEL,
        "LLM_INPUT_USD_PER_MILLION": "0",
        "LLM_OUTPUT_USD_PER_MILLION": "0",
    }


def is_ready(port: int) -> bool:
    """Whether the analyst lists its model."""
    try:
        return requests.get(f"http://127.0.0.1:{port}/v1/models", timeout=2).ok
    except requests.RequestException:
        return False
