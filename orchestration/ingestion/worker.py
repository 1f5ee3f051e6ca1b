"""The streaming worker: for a topic that is too busy for the sensor. Takes messages as they come,
lands what has gathered in one transaction, acknowledges, and drains when it is told to stop.

The landing itself is the sensor's; any number of workers may share a subscription.
"""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack

import psycopg
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_delay,
    stop_when_event_set,
    wait_exponential_jitter,
)

from orchestration.crash_points import reach
from orchestration.errors import BrokerAwayError
from orchestration.ingestion.landing import (
    MAX_BATCH_BYTES,
    MAX_PULL_MESSAGES,
    at_risk_apart,
    land,
)
from orchestration.resources.broker import Broker, Message
from orchestration.resources.postgres import Connection, connect
from orchestration.settings import IngestSettings, PostgresSettings

MAX_HELD_MESSAGES = 4 * MAX_PULL_MESSAGES
MAX_HELD_BYTES = 8 * MAX_BATCH_BYTES
_LOOK_UP_SECONDS = 0.2
_REPORT_SECONDS = 10.0
_IDLE_SECONDS = 30.0
_PATIENCE_SECONDS = 600.0

Report = Callable[[str], None]


class Worker:
    """Lands one subscription until `stop` is set. `report` gets a line now and then."""

    def __init__(
        self,
        broker: Broker,
        settings: PostgresSettings,
        limits: IngestSettings,
        stop: threading.Event,
        report: Report,
    ) -> None:
        self._broker = broker
        self._settings = settings
        self._limits = limits
        self._stop = stop
        self._report = report
        self._waiting: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.counts: Counter[str] = Counter()

    def run(self) -> Counter[str]:
        """Returns what became of the messages.

        Raises BrokerError when the broker is away at the start or will send no more,
        psycopg.OperationalError when the database is away at the start or stayed away: what was
        not acknowledged comes again.
        """
        reported = time.monotonic()
        with ExitStack() as opened:
            database = _Database(self._settings, opened)
            database.connection()
            self._broker.require_subscription()
            stream = self._broker.stream(self._take, MAX_HELD_MESSAGES, MAX_HELD_BYTES)
            for batch in self._batches(opened.enter_context(stream)):
                reach("after_pull")
                for part in at_risk_apart(batch):
                    self._land(database, part)
                if time.monotonic() - reported > _REPORT_SECONDS:
                    reported = time.monotonic()
                    self._report(self._summary())
        self._report(f"stopped; {self._summary()}")
        return self.counts

    def _take(self, message: Message) -> None:
        """What comes after the stop is left to its lease: rejected, it would come here again at
        once, and each time be a step nearer to the dead letters."""
        if not self._stop.is_set():
            self._waiting.put(message)

    def _batches(self, stream: "Future[None]") -> Iterator[list[Message]]:
        """What has gathered, again and again, until the stop and then until nothing is left."""
        quiet_since = time.monotonic()
        while True:
            batch = self._gathered()
            if batch:
                yield batch
                quiet_since = time.monotonic()
            elif self._stop.is_set():
                return
            elif stream.done():
                stream.result()
                return
            elif time.monotonic() - quiet_since > _IDLE_SECONDS:
                self._look_at_the_broker()
                quiet_since = time.monotonic()

    def _look_at_the_broker(self) -> None:
        """A stream tries for ever, in silence, to reach a broker or a subscription that is gone."""
        try:
            self._broker.require_subscription()
        except BrokerAwayError as error:
            self._report(f"nothing arrives; waiting for the broker: {error}")

    def _gathered(self) -> list[Message]:
        batch: list[Message] = []
        size = 0
        try:
            batch.append(self._waiting.get(timeout=_LOOK_UP_SECONDS))
            size += len(batch[-1].data)
            while len(batch) < MAX_PULL_MESSAGES and size < MAX_BATCH_BYTES:
                batch.append(self._waiting.get_nowait())
                size += len(batch[-1].data)
        except queue.Empty:
            pass
        return batch

    def _land(self, database: "_Database", batch: Sequence[Message]) -> None:
        """Land and acknowledge; a database that is away is waited for while the leases last."""
        for attempt in Retrying(
            retry=retry_if_exception_type(psycopg.OperationalError),
            wait=wait_exponential_jitter(multiplier=0.5, max=15),
            stop=stop_after_delay(_PATIENCE_SECONDS) | stop_when_event_set(self._stop),
            sleep=sleep_using_event(self._stop),
            before_sleep=self._report_absence,
            reraise=True,
        ):
            with attempt:
                plan = land(
                    database.connection(),
                    self._broker.subscription,
                    batch,
                    self._limits.max_document_bytes,
                )
        self.counts += plan.counts()
        self._broker.acknowledge([message.receipt for message in batch])
        reach("after_ack")

    def _report_absence(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self._report(f"PostgreSQL is away; messages are held until it is back: {error}")

    def _summary(self) -> str:
        landed = ", ".join(f"{count:,} {what}" for what, count in sorted(self.counts.items()))
        return f"landed {landed or 'nothing'}"


class _Database:
    """One connection, opened when it is needed, and again after it broke."""

    def __init__(self, settings: PostgresSettings, opened: ExitStack) -> None:
        self._settings = settings
        self._opened = opened
        self._connection: Connection | None = None

    def connection(self) -> Connection:
        """Raises psycopg.OperationalError when PostgreSQL cannot be reached."""
        if self._connection is None or self._connection.closed:
            self._connection = self._opened.enter_context(
                connect(self._settings, "supplier-risk ingest")
            )
        return self._connection
