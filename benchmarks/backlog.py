"""Lands what waits on a subscription in a process of its own and prints the peak of its memory.

Started by memory.py, `python -m benchmarks.backlog sensor|worker MESSAGES`; the settings come from
the environment.
"""

import json
import re
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from orchestration.ingestion.landing import land_from
from orchestration.ingestion.worker import Worker
from orchestration.resources.postgres import connect
from orchestration.resources.pubsub import GooglePubsub
from orchestration.settings import IngestSettings, PostgresSettings, PubsubSettings

_SECONDS = 120


def main(way: str, messages: int) -> None:
    """Print how many messages were landed and the megabytes of the peak."""
    with GooglePubsub(PubsubSettings.load()) as broker:
        counts = _as_worker(broker, messages) if way == "worker" else _as_sensor(broker)
    print(json.dumps({"messages": counts.total(), "peak_mb": _peak_mb()}))


def _as_sensor(broker: GooglePubsub) -> Counter[str]:
    with connect(PostgresSettings.load(), "benchmark") as connection:
        return land_from(broker, connection, _SECONDS, IngestSettings.load().max_document_bytes)


def _as_worker(broker: GooglePubsub, messages: int) -> Counter[str]:
    stop = threading.Event()
    worker = Worker(broker, PostgresSettings.load(), IngestSettings.load(), stop, lambda _: None)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(worker.run)
        while worker.counts.total() < messages and not running.done():
            wait([running], timeout=0.05)
        stop.set()
        return running.result()


def _peak_mb() -> float:
    """From Linux: getrusage would count the parent process as well, from before the exec."""
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(peak[1]) / 1024 if peak else 0.0


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
