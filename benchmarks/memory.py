"""The peak memory of landing a deep backlog, beside a shallow one: it must not grow with depth."""

import json
import os
import subprocess
import sys

from benchmarks.measuring import Figure, in_turns
from benchmarks.parts import Parts, postgres_environment
from benchmarks.sample import distinct_documents
from orchestration.ingestion.publisher import publish
from orchestration.ingestion.reading import Record
from orchestration.local import emulator
from orchestration.resources.pubsub import GooglePubsub
from orchestration.settings import REPOSITORY, PubsubSettings

_DEEP = 20_000
_SHALLOW = 1_000
_ROUNDS = 2


def run(parts: Parts) -> list[Figure]:
    """Megabytes of resident memory at most, of the process that lands."""
    deep, shallow = in_turns(
        _ROUNDS, lambda: _peak_mb(parts, _DEEP), lambda: _peak_mb(parts, _SHALLOW)
    )
    measure = f"memory, {_DEEP:,} waiting"
    return [Figure(measure, "MB at peak", deep, shallow, f"the same with {_SHALLOW:,} waiting")]


def _peak_mb(parts: Parts, depth: int) -> float:
    topic = _publish(parts.emulator_host, depth)
    with parts.database() as database:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.backlog"],
            cwd=REPOSITORY,
            env={
                **os.environ,
                **postgres_environment(database),
                "PUBSUB_PROJECT_ID": topic.project_id,
                "PUBSUB_EMULATOR_HOST": topic.emulator_host or "",
            },
            stdout=subprocess.PIPE,
            check=True,
        )
    result = json.loads(done.stdout)
    if result["documents"] != depth:
        raise RuntimeError(f"{result['documents']} of {depth} documents were landed")
    return float(result["peak_mb"])


def _publish(emulator_host: str, depth: int) -> PubsubSettings:
    topic = emulator.prepare(emulator_host, previous_project=None)
    records = (Record("-", document) for document in distinct_documents(depth))
    with GooglePubsub(topic) as broker:
        publish(broker, records, "bench", "", 1_000_000, on_progress=lambda: None)
    return topic
