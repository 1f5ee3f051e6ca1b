"""The peak memory of landing a deep backlog, beside a shallow one: it must not grow with depth, nor
out of bounds with messages as large as Pub/Sub takes them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.measuring import Figure, in_turns
from benchmarks.parts import Parts, postgres_environment
from benchmarks.sample import distinct_documents
from orchestration.local import emulator
from orchestration.resources.broker import confirmed
from orchestration.resources.pubsub import MAX_MESSAGE_BYTES, GooglePubsub
from orchestration.settings import REPOSITORY, PubsubSettings

_DEEP = 20_000
_SHALLOW = 1_000
_LARGE = 15
_SECONDS = 60.0
_ROUNDS = 2
_WAYS = ("sensor", "worker")


def run(parts: Parts) -> list[Figure]:
    """Megabytes of resident memory at most, of the process that lands, on both ways."""
    return [figure for way in _WAYS for figure in (_by_depth(parts, way), _by_size(parts, way))]


def _by_depth(parts: Parts, way: str) -> Figure:
    deep, shallow = in_turns(
        _ROUNDS,
        lambda: _of_documents(parts, way, _DEEP),
        lambda: _of_documents(parts, way, _SHALLOW),
    )
    peer_is = f"the same with {_SHALLOW:,} waiting"
    return Figure(f"memory of a {way}, {_DEEP:,} waiting", "MB at peak", deep, shallow, peer_is)


def _by_size(parts: Parts, way: str) -> Figure:
    large = [b"%20d" % number + b"x" * (MAX_MESSAGE_BYTES - 120) for number in range(_LARGE)]
    small = [message[:1_000] for message in large]
    products, peers = in_turns(
        _ROUNDS, lambda: _peak_mb(parts, way, large), lambda: _peak_mb(parts, way, small)
    )
    peer_is = f"the same with {_LARGE} of 1 kB"
    return Figure(f"memory of a {way}, {_LARGE} of 10 MB", "MB at peak", products, peers, peer_is)


def _of_documents(parts: Parts, way: str, depth: int) -> float:
    return _peak_mb(parts, way, [document.to_json() for document in distinct_documents(depth)])


def _peak_mb(parts: Parts, way: str, messages: Sequence[bytes]) -> float:
    with parts.fresh_emulator() as host, parts.database() as database:
        topic = _publish(host, messages)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.backlog", way, str(len(messages))],
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
    if result["messages"] != len(messages):
        raise RuntimeError(f"{result['messages']} of {len(messages)} messages were landed")
    return float(result["peak_mb"])


def _publish(emulator_host: str, messages: Sequence[bytes]) -> PubsubSettings:
    topic = emulator.prepare(emulator_host, previous_project=None)
    with GooglePubsub(topic) as broker:
        for sent in [broker.publish(message, {}) for message in messages]:
            confirmed(sent, _SECONDS)
    return topic
