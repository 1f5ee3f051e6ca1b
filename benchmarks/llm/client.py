"""One measured process: `python -m benchmarks.llm.client product|bare|sdk ...`.

It warms up, prints `ready`, waits for a line on its standard input, works, and prints as JSON what
it spent. Started by clients.py; the settings come from the environment, as for a run.
"""

import argparse
import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import aiohttp
import openai

from benchmarks.llm import world
from benchmarks.measuring import spent_by
from orchestration.errors import LlmError
from orchestration.resources.postgres import connect
from orchestration.scoring import findings
from orchestration.scoring.generations import open_stream
from orchestration.scoring.report import RunReport
from orchestration.scoring.steps import Run
from orchestration.settings import LlmSettings, PostgresSettings

_NOTHING_TO_DO_SECONDS = 0.5

Work = Callable[[int], None]
"""Makes so many calls that nobody made before; raises if one of them is not answered."""


@contextmanager
def product(llm: LlmSettings, _options: argparse.Namespace) -> Iterator[Work]:
    """The findings step of a run: claim, ask, keep."""
    with connect(PostgresSettings.load(), "benchmark") as connection:
        generation_id = open_stream(connection, llm.model)
        run = Run(connection, llm, f"bench-{os.getpid()}", generation_id, max_attempts=1_000)

        def work(count: int) -> None:
            report = RunReport()
            findings.score_pending(run, report, count)
            if report.outcomes["scored"] != count:
                raise RuntimeError(f"{dict(report.outcomes)} instead of {count} scored")

        yield work


@contextmanager
def bare(llm: LlmSettings, options: argparse.Namespace) -> Iterator[Work]:
    """An aiohttp loop that sends ready bytes and reads the answers' bytes."""
    bodies = iter([json.dumps(request).encode() for request in _requests(llm, options)])
    url = f"{llm.base_url}/chat/completions"
    headers = {"authorization": "Bearer stub", "content-type": "application/json"}

    async def send_all(count: int) -> None:
        mine = (next(bodies) for _ in range(count))
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(headers=headers, connector=connector) as session:

            async def send(part: Iterable[bytes]) -> None:
                for body in part:
                    async with session.post(url, data=body) as response:
                        response.raise_for_status()
                        await response.read()

            await asyncio.gather(*(send(mine) for _ in range(llm.concurrency)))

    yield lambda count: asyncio.run(send_all(count))


@contextmanager
def sdk(llm: LlmSettings, options: argparse.Namespace) -> Iterator[Work]:
    """AsyncOpenAI as it comes, with its own retries; what it gives up is not tried again."""
    bodies = cycle(_requests(llm, options))

    async def send_all(count: int) -> None:
        mine = (next(bodies) for _ in range(count))
        async with openai.AsyncOpenAI(base_url=llm.base_url, api_key="stub") as client:

            async def send(part: Iterable[dict[str, Any]]) -> None:
                for body in part:
                    try:
                        await client.chat.completions.create(**body)
                    except openai.RateLimitError:
                        continue

            await asyncio.gather(*(send(mine) for _ in range(llm.concurrency)))

    yield lambda count: asyncio.run(send_all(count))


def _requests(llm: LlmSettings, options: argparse.Namespace) -> list[dict[str, Any]]:
    of = options.processes
    count = (options.warm + options.calls) * of
    return world.share_of(world.requests(count, llm), options.number, of)


def main() -> None:
    """See the file's docstring. With --until-closed it works until its standard input ends."""
    sides = {"product": product, "bare": bare, "sdk": sdk}
    parser = argparse.ArgumentParser(prog="client", description=__doc__)
    parser.add_argument("side", choices=sides)
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--warm", type=int, default=0)
    parser.add_argument("--number", type=int, default=0, help="which of --processes this one is")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--until-closed", action="store_true")
    options = parser.parse_args()
    with sides[options.side](LlmSettings.load(), options) as work:
        if options.warm:
            work(options.warm)
        print("ready", flush=True)
        sys.stdin.readline()
        if options.until_closed:
            threading.Thread(target=_end_with_stdin, daemon=True).start()
            _work_on(work, options.calls)
        begin = time.monotonic()
        spent = spent_by(lambda: work(options.calls))
        end = time.monotonic()
        print(
            json.dumps({"begin": begin, "end": end, "cpu": spent.cpu, "calls": options.calls}),
            flush=True,
        )
        sys.stdin.read()  # the database's process for this connection is to be looked at first


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(0)


def _work_on(work: Work, count: int) -> None:
    """What fails is back in the queue and comes again; the stub knows what was answered."""
    while True:
        try:
            work(count)
        except (RuntimeError, LlmError) as error:
            print(error, file=sys.stderr)
        time.sleep(_NOTHING_TO_DO_SECONDS)


if __name__ == "__main__":
    main()
