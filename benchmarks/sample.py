"""The documents that the benchmarks work on: the repository's sample news, made many."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import cycle, islice

from orchestration.ingestion.message import Document
from orchestration.ingestion.reading import read
from orchestration.resources.broker import Message
from orchestration.settings import REPOSITORY

_FILE = REPOSITORY / "data" / "sample" / "supplier_news.jsonl"


def sample_documents() -> list[Document]:
    """Every document of the sample file."""
    return [r.content for r in read([_FILE]) if isinstance(r.content, Document)]


def distinct_documents(count: int) -> list[Document]:
    """The sample over and over, each time with other ids and texts."""
    return [
        document.model_copy(
            update={
                "external_id": f"{document.external_id}-{number}",
                "text": f"{document.text}\n\nCopy {number}.",
            }
        )
        for number, document in enumerate(islice(cycle(sample_documents()), count))
    ]


def as_messages(documents: Sequence[Document]) -> list[Message]:
    """One message for each document, as a pull brings it."""
    now = datetime.now(UTC)
    return [
        Message(str(number), document.to_json(), {"batch_id": "bench"}, "", now, str(number))
        for number, document in enumerate(documents)
    ]
