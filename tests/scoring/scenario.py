"""A small world for scoring tests: suppliers, landed documents, and a run over them."""

from collections.abc import Sequence

from orchestration.ingestion import changed_pairs
from orchestration.ingestion.landing import land
from orchestration.ingestion.message import Document, SupplierHint
from orchestration.ingestion.suppliers import Supplier, load
from orchestration.resources.postgres import Connection
from orchestration.scoring import mentions
from orchestration.scoring.generations import open_stream
from orchestration.scoring.mentions import Resolution
from orchestration.scoring.results import ScoringResult
from orchestration.scoring.run import score
from orchestration.scoring.steps import Run
from orchestration.settings import IngestSettings, LlmSettings
from tests.ingestion.test_landing import LIMIT, SUBSCRIPTION, message

ACME = Supplier("acme", "Acme Corp", ("Acme",), "US", "metals", 1, None)
BETA = Supplier("beta", "Beta AG", (), "DE", "chemicals", 2, None)
RECALL = "Acme Corp recalls 500 valves in Mexico because of a defect."
BANKRUPTCY = "Beta AG files for bankruptcy."


def land_documents(connection: Connection, documents: Sequence[Document], batch: str = "b") -> None:
    load(connection, [ACME, BETA])
    messages = [message(document.to_json(), batch_id=batch) for document in documents]
    land(connection, SUBSCRIPTION, messages, LIMIT)


def land_texts(connection: Connection, *texts: str) -> None:
    land_documents(connection, [Document(text=text) for text in texts])


def land_hinted(connection: Connection, *texts: str) -> None:
    """Of a publisher who says who is meant: nothing is asked before the findings."""
    land_documents(connection, [_hinted(text) for text in texts])


def _hinted(text: str) -> Document:
    names = [("acme", "MX")] if "Acme" in text else [("beta", "DE")]
    hints = tuple(SupplierHint(supplier=name, country=country) for name, country in names)
    return Document(text=text, supplier_hints=hints)


def resolve(
    connection: Connection, llm: LlmSettings, run_id: str = "run-1", generation: int | None = None
) -> Resolution:
    """What the asset of the mentions does; for a generation other than the newest if given."""
    generation = generation or open_stream(connection, llm.model)
    attempts = IngestSettings().max_item_attempts
    return mentions.resolve_pending(Run(connection, llm, run_id, generation, attempts))


def run(
    connection: Connection,
    llm: LlmSettings,
    targets: Sequence[str] | None = None,
    run_id: str = "run-1",
    is_killed_before_events: bool = False,
) -> ScoringResult:
    """What the two assets do, one after the other."""
    limits = IngestSettings()
    if targets is None:
        resolve(connection, llm, run_id)
    result = score(connection, llm, limits, run_id, targets)
    if result.outage:
        raise result.outage
    if not is_killed_before_events:
        changed_pairs.strike(connection, result.changes)
    return result


def wake(connection: Connection) -> None:
    """As if the delay of every failed item were over."""
    connection.execute("update risk.work_items set available_at = now() where state = 'pending'")
