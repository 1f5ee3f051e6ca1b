"""The engine's own cost per call, beside the same requests sent by the SDK alone."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openai import AsyncOpenAI

from benchmarks.measuring import Figure, Spent, in_turns, spent_by
from benchmarks.parts import Parts
from benchmarks.sample import sample_documents
from orchestration.resources.postgres import Connection, connect, one
from orchestration.scoring import prompts
from orchestration.scoring.calls import Call
from orchestration.scoring.engine import answer_all
from orchestration.scoring.evidence import document_text
from orchestration.settings import LlmSettings

_CALLS = 500
_ROUNDS = 3
_SDK = "the same requests by AsyncOpenAI with a semaphore, no database"
_SELECT = "one select of the answers and json.loads"


@dataclass(frozen=True)
class _Round:
    """What the engine spent on calls that it paid for, and on the same ones from its cache."""

    paid: Spent
    cached: Spent
    bare_cached: Spent


def run(parts: Parts) -> list[Figure]:
    """Milliseconds per call: on the clock and of this process's CPU; then from the cache."""
    llm = parts.llm
    texts = [document_text(d.title, d.text) for d in sample_documents()[:_CALLS]]
    _engine(parts, llm, texts[:50])
    _sdk(llm, texts[:50])
    rounds, peers = in_turns(_ROUNDS, lambda: _engine(parts, llm, texts), lambda: _sdk(llm, texts))
    paid = [own.paid for own in rounds]
    cached, bare = [own.cached for own in rounds], [own.bare_cached for own in rounds]
    return [
        Figure("engine, clock", "ms/call", _walls(paid), _walls(peers), _SDK),
        Figure("engine, CPU", "ms/call", _cpus(paid), _cpus(peers), _SDK),
        Figure("engine, cached", "ms/call", _walls(cached), _walls(bare), _SELECT),
    ]


def _walls(side: Sequence[Spent]) -> list[float]:
    return [spent.wall / _CALLS * 1_000 for spent in side]


def _cpus(side: Sequence[Spent]) -> list[float]:
    return [spent.cpu / _CALLS * 1_000 for spent in side]


def _calls(llm: LlmSettings, item_id: int, texts: Sequence[str]) -> list[Call]:
    """Anew each time, so that rendering and hashing are measured too."""
    return [
        Call(
            item_id,
            prompts.RISK_FINDINGS,
            {
                "document": prompts.delimited(text),
                "supplier": "Acme",
                "country": "United States (US)",
            },
            llm,
        )
        for text in texts
    ]


def _engine(parts: Parts, llm: LlmSettings, texts: Sequence[str]) -> _Round:
    with parts.database() as database, connect(database, "benchmark") as connection:
        item_id = _work_item(connection)
        paid = spent_by(lambda: _ask(connection, llm, item_id, texts, paid_calls=len(texts)))
        cached = spent_by(lambda: _ask(connection, llm, item_id, texts, paid_calls=0))
        keys = [call.cache_key for call in _calls(llm, item_id, texts)]
        return _Round(paid, cached, spent_by(lambda: _select(connection, keys)))


def _work_item(connection: Connection) -> int:
    prompts.register(connection, prompts.RISK_FINDINGS)
    row = one(
        connection,
        "insert into risk.work_items (subject_type, subject_id, step)"
        " values ('document', gen_random_uuid(), 'mentions') returning item_id",
    )
    return int(row["item_id"])


def _ask(
    connection: Connection, llm: LlmSettings, item_id: int, texts: Sequence[str], paid_calls: int
) -> None:
    answers = answer_all(connection, llm, _calls(llm, item_id, texts), "benchmark")
    paid = sum(answer.calls for answer in answers.values())
    if paid != paid_calls or any(answer.outcome != "ok" for answer in answers.values()):
        raise RuntimeError(f"{paid} paid calls instead of {paid_calls}, or one that failed")


def _select(connection: Connection, keys: Sequence[str]) -> None:
    rows = connection.execute(
        "select answer from llm.responses where cache_key = any(%s)", [list(keys)]
    )
    for row in rows:
        json.loads(row["answer"])


def _sdk(llm: LlmSettings, texts: Sequence[str]) -> Spent:
    requests = [_body(call) for call in _calls(llm, 0, texts)]
    return spent_by(lambda: asyncio.run(_send(llm, requests)))


def _body(call: Call) -> dict[str, Any]:
    request = call.request
    schema = {"name": request.schema_name, "schema": request.schema, "strict": True}
    return {
        "model": call.llm.model,
        "messages": request.messages,
        "response_format": {"type": "json_schema", "json_schema": schema},
        "extra_body": request.parameters,
    }


async def _send(llm: LlmSettings, requests: Sequence[dict[str, Any]]) -> None:
    limit = asyncio.Semaphore(llm.concurrency)
    key = llm.api_key.get_secret_value()
    async with AsyncOpenAI(base_url=llm.base_url, api_key=key, max_retries=0) as client:

        async def send(request: dict[str, Any]) -> None:
            async with limit:
                completion = await client.chat.completions.create(**request)
            json.loads(completion.choices[0].message.content or "")

        await asyncio.gather(*map(send, requests))
