"""One measured process of another library, run by the Python of the peers' own environment.

It keeps to the order of client.py: warm up, `ready`, a line, a result as JSON. The requests come
from a file; the endpoint and the calls in flight from LLM_BASE_URL and LLM_CONCURRENCY.
"""

import argparse
import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from orchestration.scoring.replies import FindingsReply

_URL = os.environ["LLM_BASE_URL"]
_IN_FLIGHT = int(os.environ["LLM_CONCURRENCY"])

Request = dict[str, Any]
SendAll = Callable[[Sequence[Request]], Awaitable[None]]


async def _in_flight(
    send: Callable[[Request], Awaitable[Any]], requests: Sequence[Request]
) -> None:
    """All of them, so many at a time; every reply must be the reply type."""
    waiting: Iterator[Request] = iter(requests)

    async def work(mine: Iterable[Request]) -> None:
        for request in mine:
            reply = await send(request)
            if not isinstance(reply, FindingsReply):
                raise TypeError(f"got {reply!r}")

    await asyncio.gather(*(work(waiting) for _ in range(_IN_FLIGHT)))


async def by_openai(requests: Sequence[Request]) -> None:
    """`chat.completions.parse` of AsyncOpenAI."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=_URL, api_key="stub", max_retries=0) as client:

        async def send(request: Request) -> Any:
            completion = await client.chat.completions.parse(
                **request, response_format=FindingsReply
            )
            return completion.choices[0].message.parsed

        await _in_flight(send, requests)


async def by_instructor(requests: Sequence[Request]) -> None:
    """AsyncOpenAI with instructor around it, in the mode for strict JSON schemas."""
    import instructor  # type: ignore[import-not-found]
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=_URL, api_key="stub", max_retries=0) as client:
        wrapped = instructor.from_openai(client, mode=instructor.Mode.JSON_SCHEMA)

        async def send(request: Request) -> Any:
            return await wrapped.chat.completions.create(**request, response_model=FindingsReply)

        await _in_flight(send, requests)


async def by_litellm(requests: Sequence[Request]) -> None:
    """`acompletion`; it hands back text, which is then validated."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it is fetched from the network
    import litellm  # type: ignore[import-not-found]

    async def send(request: Request) -> Any:
        completion = await litellm.acompletion(
            **request | {"model": f"openai/{request['model']}"},
            api_base=_URL,
            api_key="stub",
            response_format=FindingsReply,
            num_retries=0,
        )
        return FindingsReply.model_validate_json(completion.choices[0].message.content)

    await _in_flight(send, requests)


async def by_langchain(requests: Sequence[Request]) -> None:
    """`with_structured_output(...).abatch` of ChatOpenAI."""
    from langchain_openai import ChatOpenAI  # type: ignore[import-not-found]

    parameters = {k: v for k, v in requests[0].items() if k != "messages"}
    chat = ChatOpenAI(base_url=_URL, api_key="stub", max_retries=0, **parameters)
    chain = chat.with_structured_output(FindingsReply, method="json_schema")
    replies = await chain.abatch(
        [request["messages"] for request in requests], config={"max_concurrency": _IN_FLIGHT}
    )
    if not all(isinstance(reply, FindingsReply) for reply in replies):
        raise TypeError(f"got {replies[0]!r}")


LIBRARIES: dict[str, SendAll] = {
    "openai": by_openai,
    "instructor": by_instructor,
    "litellm": by_litellm,
    "langchain": by_langchain,
}


def main() -> None:
    """See the file's docstring."""
    parser = argparse.ArgumentParser(prog="peer_client", description=__doc__)
    parser.add_argument("library", choices=LIBRARIES)
    parser.add_argument("--requests", type=Path, required=True)
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--warm", type=int, required=True)
    options = parser.parse_args()
    send_all = LIBRARIES[options.library]
    requests = iter(json.loads(options.requests.read_text()))
    asyncio.run(_measure(send_all, requests, options.warm, options.calls))


async def _measure(send_all: SendAll, requests: Iterator[Request], warm: int, calls: int) -> None:
    """On one event loop: some libraries keep clients that belong to it."""
    await send_all(list(itertools.islice(requests, warm)))
    work = list(itertools.islice(requests, calls))
    print("ready", flush=True)
    sys.stdin.readline()
    begin, cpu = time.monotonic(), time.process_time()
    await send_all(work)
    spent = {"begin": begin, "end": time.monotonic(), "cpu": time.process_time() - cpu}
    print(json.dumps(spent | {"calls": calls}), flush=True)


if __name__ == "__main__":
    main()
