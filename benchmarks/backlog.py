"""Lands what waits on a subscription in a process of its own and prints the peak of its memory.

Started by memory.py; the settings come from the environment, as for the sensor.
"""

import json
import re
from pathlib import Path

from orchestration.ingestion.landing import land_from
from orchestration.resources.postgres import connect
from orchestration.resources.pubsub import GooglePubsub
from orchestration.settings import IngestSettings, PostgresSettings, PubsubSettings

_SECONDS = 120


def main() -> None:
    """Print how many documents were landed and the megabytes of the peak."""
    database = PostgresSettings.load()
    with GooglePubsub(PubsubSettings.load()) as broker, connect(database, "benchmark") as own:
        counts = land_from(broker, own, _SECONDS, IngestSettings.load().max_document_bytes)
    print(json.dumps({"documents": counts["document"], "peak_mb": _peak_mb()}))


def _peak_mb() -> float:
    """From Linux: getrusage would count the parent process as well, from before the exec."""
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(peak[1]) / 1024 if peak else 0.0


if __name__ == "__main__":
    main()
