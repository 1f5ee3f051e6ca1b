"""Landing 20,000 real documents from the emulator, beside a bare pull-and-ack of the same messages:
as the sensor does it, and as two streaming workers do it.
"""

import gzip
import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from benchmarks.measuring import Figure, in_turns, spent_by
from benchmarks.parts import Parts
from orchestration.ingestion.landing import MAX_PULL_MESSAGES, land_from
from orchestration.ingestion.message import Document, validate_document
from orchestration.ingestion.publisher import publish
from orchestration.ingestion.reading import Record
from orchestration.ingestion.worker import Worker
from orchestration.local import emulator
from orchestration.resources.postgres import connect
from orchestration.resources.pubsub import GooglePubsub
from orchestration.settings import IngestSettings, PostgresSettings, PubsubSettings

_FILE = Path(__file__).parent / "data" / "federal_register_20k.jsonl.gz"
_ROUNDS = 3
_WORKERS = 2
_MAX_BYTES = 1_000_000
_PATIENCE_SECONDS = 600.0
_PEER_IS = "pull and acknowledge, and nothing else"


def run(parts: Parts) -> list[Figure]:
    """Messages per second on both ways, each in turns with the bare loop."""
    figures = []
    for measure, way in (("sensor's way", _by_sensor), (f"{_WORKERS} workers", _by_workers)):
        products, peers = in_turns(_ROUNDS, _timed(parts, way), _timed(parts, _bare))
        figures.append(Figure(measure, "messages/s", products, peers, _PEER_IS))
    return figures


Way = Callable[[PubsubSettings, PostgresSettings], None]


def _timed(parts: Parts, way: Way) -> Callable[[], float]:
    def measure() -> float:
        with parts.fresh_emulator() as host, parts.database() as database:
            topic = _published(host)
            return len(_documents()) / spent_by(lambda: way(topic, database)).wall

    return measure


def _published(emulator_host: str) -> PubsubSettings:
    topic = emulator.prepare(emulator_host, previous_project=None)
    with GooglePubsub(topic) as broker:
        records = (Record("-", document) for document in _documents())
        publish(broker, records, "bench", "", _MAX_BYTES, on_progress=lambda: None)
    return topic


@cache
def _documents() -> list[Document]:
    with gzip.open(_FILE, "rt", encoding="utf-8") as lines:
        return [validate_document(json.loads(line)) for line in lines]


def _by_sensor(topic: PubsubSettings, database: PostgresSettings) -> None:
    with GooglePubsub(topic) as broker, connect(database, "benchmark") as connection:
        counts = land_from(broker, connection, _PATIENCE_SECONDS, _MAX_BYTES)
    _require_all(sum(counts.values()))


def _by_workers(topic: PubsubSettings, database: PostgresSettings) -> None:
    stop = threading.Event()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with ExitStack() as opened:
        brokers = [opened.enter_context(GooglePubsub(topic)) for _ in range(_WORKERS)]
        workers = [
            Worker(broker, database, IngestSettings(), stop, lambda _: None) for broker in brokers
        ]
        pool = opened.enter_context(ThreadPoolExecutor(_WORKERS))
        running = [pool.submit(worker.run) for worker in workers]
        while _landed(workers) < len(_documents()) and time.monotonic() < deadline:
            wait(running, timeout=0.01)
        stop.set()
    _require_all(_landed(workers))


def _landed(workers: Sequence[Worker]) -> int:
    return sum(sum(worker.counts.values()) for worker in workers)


def _bare(topic: PubsubSettings, _: PostgresSettings) -> None:
    received = 0
    with GooglePubsub(topic) as broker:
        while received < len(_documents()):
            batch = broker.pull(MAX_PULL_MESSAGES, timeout=5)
            broker.acknowledge([message.receipt for message in batch])
            received += len(batch)


def _require_all(received: int) -> None:
    if received < len(_documents()):
        raise RuntimeError(f"{received} of {len(_documents())} messages were received")
