"""The findings step beside what other libraries need for the call alone, without keeping anything.

They live in an environment of their own, made from peers.lock when it is first needed.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.llm import rounds, world
from benchmarks.llm.rounds import WARM, Load, Side
from benchmarks.measuring import Figure
from benchmarks.parts import Parts
from benchmarks.stub import MODEL
from orchestration.settings import REPOSITORY, LlmSettings

_LOCK = Path(__file__).parent.parent / "peers.lock"
_ENVIRONMENTS = REPOSITORY / ".state" / "benchmarks"
_ROUNDS = 1
_LOADS = (Load(1_500, 64), Load(3_000, 128))
_OPENAI = "openai"
_LIBRARIES = {
    _OPENAI: "chat.completions.parse() of AsyncOpenAI",
    "instructor": "instructor around AsyncOpenAI",
    "litellm": "acompletion() of LiteLLM",
    "langchain": "with_structured_output().abatch() of LangChain",
}


def run(parts: Parts) -> list[Figure]:
    """Calls a second and milliseconds of the client's CPU; the peers keep no ledger."""
    python = _environment()
    requests = parts.folder / "requests.json"
    return [figure for load in _LOADS for figure in _figures(parts, load, python, requests)]


def _figures(parts: Parts, load: Load, python: Path, requests: Path) -> list[Figure]:
    llm = LlmSettings.model_validate({"base_url": "-", "api_key": "-", "model": MODEL})
    bodies = world.requests(load.calls + WARM, llm)
    requests.write_text(json.dumps([_without_schema(body) for body in bodies]))
    products: list[Side] = []
    peers: dict[str, list[Side]] = {library: [] for library in _LIBRARIES}
    for _ in range(_ROUNDS):
        products.append(rounds.product(parts, load))
        for library, sides in peers.items():
            # the SDK in the version of the product; others hold it back
            own = sys.executable if library == _OPENAI else str(python)
            command = [own, "-m", "benchmarks.llm.peer_client", library]
            sides.append(rounds.other(parts, load, [*command, "--requests", str(requests)]))
    measures = {"calls_per_second": "calls/s", "cpu_ms": "client's CPU, ms/call"}
    return [
        Figure(
            str(load),
            unit,
            [getattr(side, name) for side in products],
            [getattr(side, name) for side in sides],
            _LIBRARIES[library],
        )
        for library, sides in peers.items()
        for name, unit in measures.items()
    ]


def _without_schema(body: dict[str, object]) -> dict[str, object]:
    """Each library makes it from the reply type, in its own words."""
    return {name: value for name, value in body.items() if name != "response_format"}


def _environment() -> Path:
    """The Python of the peers' environment, which is kept for the next time."""
    version = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]
    folder = _ENVIRONMENTS / f"peers-{version}"
    python, is_complete = folder / "bin" / "python", folder / "complete"
    if not is_complete.exists():
        uv = str(Path(sys.executable).with_name("uv"))
        install = ["pip", "install", "--quiet", "--require-hashes", "-r", str(_LOCK)]
        environment = {**os.environ, "VIRTUAL_ENV": str(folder)}
        for command in (
            ["venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
            [*install, "--python", str(python)],
        ):
            subprocess.run([uv, *command], env=environment, check=True)
        is_complete.touch()
    return python
