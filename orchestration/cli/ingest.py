"""`ingest`: the streaming worker, one process or several, until it is told to stop."""

import logging
import multiprocessing
import signal
import sys
import threading
from multiprocessing.context import SpawnProcess
from typing import Annotated

import psycopg
import typer

from orchestration.cli.database import database_trouble
from orchestration.errors import SupplierRiskError
from orchestration.settings import IngestSettings, PostgresSettings, PubsubSettings
from orchestration.terminal import err

_LOOK_UP_SECONDS = 1.0
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def ingest(
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes on this machine.")] = 1,
) -> None:
    """Land messages as they stream in, for a busy topic; SIGTERM or Ctrl-C lands what is held.

    Set INGEST_PULLED_BY=worker, so that the sensor only requests runs.
    """
    stop = _set_by_signals()
    if workers == 1:
        _run(stop)
        return
    for section in (PubsubSettings, PostgresSettings, IngestSettings):
        section.load()  # a wrong setting is said once, and not by each process
    processes = [_start(number + 1) for number in range(workers)]
    while not stop.wait(_LOOK_UP_SECONDS) and all(process.is_alive() for process in processes):
        pass
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()
    # who is told to stop before it has begun holds nothing
    well = {0, *(-number for number in _STOP_SIGNALS)} if stop.is_set() else {0}
    if failed := [process.name for process in processes if process.exitcode not in well]:
        raise SupplierRiskError(
            f"{', '.join(failed)} failed, see above; the others were stopped. What they held comes "
            "again: start `supplier-risk ingest` anew."
        )


def _start(number: int) -> SpawnProcess:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_run_in_process, name=f"worker {number}")
    process.start()
    return process


def _set_by_signals() -> threading.Event:
    stop = threading.Event()

    def handle(*_: object) -> None:
        # a stream that is closed while its broker is away tells of its closed channel, at length
        logging.getLogger("google").setLevel(logging.CRITICAL)
        stop.set()

    for number in _STOP_SIGNALS:
        signal.signal(number, handle)
    return stop


def _run_in_process() -> None:
    stop = _set_by_signals()
    try:
        _run(stop)
    except SupplierRiskError as error:
        _report(f"Error: {error}")
        sys.exit(error.exit_code)
    except psycopg.OperationalError as error:
        _report(f"Error: {database_trouble(error)}")
        sys.exit(1)


def _run(stop: threading.Event) -> None:
    from orchestration.ingestion.worker import Worker
    from orchestration.resources.pubsub import GooglePubsub

    with GooglePubsub(PubsubSettings.load()) as broker:
        Worker(broker, PostgresSettings.load(), IngestSettings.load(), stop, _report).run()


def _report(line: str) -> None:
    name = multiprocessing.current_process().name
    err.print(f"{name}: {line}" if name != "MainProcess" else line, markup=False, highlight=False)
