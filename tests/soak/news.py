"""What the soak publishes: news, corrections, duplicates, copies and poison, in no good order."""

import random
import threading
from concurrent.futures import Future

from orchestration.ingestion.message import Document
from orchestration.resources.pubsub import GooglePubsub

_COUNTRIES = ("Mexico", "Peru", "Chile", "Germany", "France")
_POISON = (b"\xff\xfe\x00", b"[]", b'{"text": ""}', b'{"text": "cut of', b"\x1f\x8b\x08packed")
_BATCH_SECONDS = 0.4


class Publisher(threading.Thread):
    """Publishes until `stop`; `confirmed` maps the ids that the broker gave to the bytes."""

    def __init__(self, broker: GooglePubsub, seed: int) -> None:
        super().__init__(daemon=True)
        self.confirmed: dict[str, bytes] = {}
        self.documents: dict[tuple[str, int], Document] = {}
        self._broker = broker
        self._random = random.Random(seed)
        self._ending = threading.Event()

    def run(self) -> None:
        """Batch after batch, each shuffled, so that versions come in any order."""
        while not self._ending.wait(_BATCH_SECONDS):
            batch = [self._next() for _ in range(self._random.randint(1, 12))]
            self._random.shuffle(batch)
            sent: list[tuple[Future[str], bytes]] = [
                (self._broker.publish(data, {"batch_id": "soak"}), data) for data in batch
            ]
            self.confirmed |= {future.result(60): data for future, data in sent}

    def stop(self) -> None:
        """End after the batch under way."""
        self._ending.set()
        self.join()

    def _next(self) -> bytes:
        kind = self._random.choices(
            ("new", "correction", "duplicate", "copy", "poison"), weights=(50, 15, 15, 10, 10)
        )[0]
        if kind == "poison":
            return self._random.choice(_POISON)
        if kind == "new" or not self.documents:
            return self._publish(
                Document(text=self._text(), external_id=self._new_id(), source="s")
            )
        known = self._random.choice(list(self.documents.values()))
        if kind == "duplicate":
            return known.to_json()
        if kind == "copy":
            return self._publish(known.model_copy(update={"external_id": self._new_id()}))
        newest = max(v for name, v in self.documents if name == known.external_id)
        text = {"text": self._text(), "version": newest + 1}
        return self._publish(known.model_copy(update=text))

    def _publish(self, document: Document) -> bytes:
        self.documents[str(document.external_id), document.version] = document
        return document.to_json()

    def _new_id(self) -> str:
        return f"{len(self.documents)}"

    def _text(self) -> str:
        number, country = self._random.randint(1, 10**9), self._random.choice(_COUNTRIES)
        if self._random.random() < 0.3:
            return f"Nobody is named in {country}, {number} times."
        name = self._random.choice(("Acme Corp", "Beta AG"))
        return f"{name} recalls {number} valves in {country} because of a defect."
