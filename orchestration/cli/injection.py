"""`injection-report`: how far instructions inside documents move the configured model."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from orchestration import terminal
from orchestration.errors import UsageError
from orchestration.local.analyst import MODEL as OFFLINE_ANALYST
from orchestration.settings import REPOSITORY, IngestSettings, LlmSettings, PostgresSettings
from orchestration.terminal import out

_SAMPLE = REPOSITORY / "data" / "sample" / "supplier_news_200.jsonl"


def injection_report(
    documents: Annotated[int, typer.Option(min=1, max=200, help="Sample documents.")] = 10,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file, too.")
    ] = None,
) -> None:
    """Put attacks into sample documents and count the findings that move; the calls are paid."""
    from orchestration.ingestion import reading
    from orchestration.ingestion.message import Document
    from orchestration.ingestion.supplier_csv import read_csv
    from orchestration.resources.postgres import connect
    from orchestration.scoring.injection import asking, attacks, figures

    llm = LlmSettings.load()
    contents = (record.content for record in reading.read([_SAMPLE]))
    news = (content for content in contents if isinstance(content, Document))
    suppliers = read_csv(IngestSettings.load().suppliers_csv)
    chosen = list(asking.subjects(news, suppliers, documents, llm.max_document_characters))
    if not chosen:
        raise UsageError(
            f"No document of {_SAMPLE.name} names a supplier of INGEST_SUPPLIERS_CSV: there is "
            "nothing to ask about. What to do: set it to a master whose suppliers are in the news."
        )
    with connect(PostgresSettings.load(), "supplier-risk injection-report") as connection:
        asked = asking.ask(connection, llm, chosen, attacks.load())
    report = {
        "model": llm.model,
        "proves": _what_it_proves(llm.model),
        "documents": asked.documents,
        "documents_without_an_answer": asked.unusable,
        "paid_calls": asked.paid_calls,
        "cost_usd": None if asked.cost_usd is None else float(asked.cost_usd),
        "attacks": [asdict(row) for row in figures.rows(asked.trials)],
    }
    if json_file:
        json_file.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    out.print(terminal.injection_table(report))


def _what_it_proves(model: str) -> str:
    if model == OFFLINE_ANALYST:
        return (
            "The offline analyst reads a word list and cannot obey: this proves the harness, and "
            "says nothing about a model."
        )
    return f"These answers of {model} only; another model, prompt or document may do otherwise."
