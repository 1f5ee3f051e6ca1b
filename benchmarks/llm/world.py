"""What is scored: real texts of 2 kB that wait with a mention each, and the requests they become.

The same number of documents is always the same documents, in whichever process.
"""

import gzip
import json
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.sample import as_messages
from orchestration.ingestion import work_items
from orchestration.ingestion.landing import MAX_PULL_MESSAGES, land
from orchestration.ingestion.message import Document
from orchestration.resources.postgres import Connection
from orchestration.scoring import prompts
from orchestration.scoring.calls import Call
from orchestration.scoring.evidence import document_text
from orchestration.scoring.generations import open_stream
from orchestration.settings import LlmSettings

_FILE = Path(__file__).parent.parent / "data" / "federal_register_20k.jsonl.gz"
_CHARACTERS = 2_000
_SUPPLIERS = 300
_MAX_BYTES = 1_000_000


def documents(count: int) -> list[Document]:
    """Each begins with another text of the file and goes on with those after it."""
    return [
        Document(
            source="bench",
            external_id=str(number),
            title=_texts()[number]["title"][:200],
            text="\n\n".join(islice(_bodies(number), 60))[:_CHARACTERS],
        )
        for number in range(count)
    ]


def _bodies(first: int) -> Iterator[str]:
    texts = _texts()
    return (texts[(first + further) % len(texts)]["text"] for further in range(len(texts)))


@cache
def _texts() -> list[dict[str, str]]:
    with gzip.open(_FILE, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def fill(connection: Connection, count: int, model: str) -> None:
    """Land the documents and let each mention one of 300 suppliers, as the step before would."""
    messages = as_messages(documents(count))
    for start in range(0, count, MAX_PULL_MESSAGES):
        batch = messages[start : start + MAX_PULL_MESSAGES]
        land(connection, "projects/bench/subscriptions/bench", batch, _MAX_BYTES)
    connection.execute(
        "insert into risk.pairs (supplier_id, country)"
        " select 'supplier-' || number, 'US' from generate_series(0, %s - 1) as number",
        [_SUPPLIERS],
    )
    rows = connection.execute(
        """
        insert into risk.mentions (
            document_id, supplier_id, country, found_by, country_source, matched_text
        )
        select
            document_id, 'supplier-' || external_id::integer %% %s, 'US', 'hint', 'hint', ''
        from ingest.documents
        returning mention_id
        """,
        [_SUPPLIERS],
    ).fetchall()
    if len(rows) != count:
        raise RuntimeError(f"{len(rows)} of {count} documents were landed")
    generation_id = open_stream(connection, model)
    mention_ids = [row["mention_id"] for row in rows]
    work_items.enqueue(connection, "mention", mention_ids, "findings", generation_id)
    connection.execute("update risk.work_items set state = 'done' where step = 'mentions'")


def requests(count: int, llm: LlmSettings) -> list[dict[str, Any]]:
    """The bodies of the chat completions that the engine sends for these documents."""
    return [_body(document, number, llm) for number, document in enumerate(documents(count))]


def _body(document: Document, number: int, llm: LlmSettings) -> dict[str, Any]:
    places = {
        "document": prompts.delimited(document_text(document.title, document.text)),
        "supplier": f"supplier-{number % _SUPPLIERS}",
        "country": "United States (US)",
    }
    request = Call(0, prompts.RISK_FINDINGS, places, llm).request
    schema = {"name": request.schema_name, "schema": request.schema, "strict": True}
    return {
        "model": llm.model,
        "messages": request.messages,
        "response_format": {"type": "json_schema", "json_schema": schema},
        **request.parameters,
    }


def share_of(whole: Sequence[dict[str, Any]], number: int, of: int) -> list[dict[str, Any]]:
    """What one of several processes sends."""
    return list(whole[number::of])
