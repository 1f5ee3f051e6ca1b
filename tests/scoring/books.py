"""The ledger's books, as the stub keeps its own: what was asked, and what became of it."""

from collections import Counter

from orchestration.ingestion.message import Document, SupplierHint
from orchestration.resources.postgres import Connection, one
from tests.scoring.scenario import land_documents

_HINTS = (SupplierHint(supplier="acme", country="MX"),)


def first_line(number: int) -> str:
    """What the stub and the ledger know a document by."""
    return f"Acme Corp recalls {number} valves in Mexico."


def land_numbered(
    connection: Connection, count: int, version: int = 1, is_hinted: bool = True
) -> None:
    """Documents of one pair; hinted ones are asked about in one call each, others in two."""
    documents = [
        Document(
            text=first_line(n),
            source="numbered",
            external_id=str(n),
            version=version,
            supplier_hints=_HINTS if is_hinted else (),
        )
        for n in range(count)
    ]
    land_documents(connection, documents)


def attempts_of_questions(connection: Connection, condition: str = "true") -> Counter[str]:
    """Attempts at the findings, by question as the stub counts them."""
    rows = connection.execute(
        f"""
        select 'risk_findings: ' || (
            regexp_match(messages -> 1 ->> 'content', 'Acme Corp recalls \\d+ valves in Mexico\\.')
        )[1] as question, count(*) as n
        from llm.attempts
        inner join llm.requests using (cache_key)
        where step = 'risk_findings' and {condition}
        group by 1
        """
    )
    return Counter({row["question"]: row["n"] for row in rows})


def outcomes(connection: Connection) -> Counter[str | None]:
    """Of all attempts; None of those that nobody ended."""
    rows = connection.execute("select outcome, count(*) as n from llm.attempts group by 1")
    return Counter({row["outcome"]: row["n"] for row in rows})


def tokens(connection: Connection) -> tuple[int, int]:
    """Read and written, of all attempts that were saved."""
    row = one(
        connection,
        "select coalesce(sum(input_tokens), 0) as read, coalesce(sum(output_tokens), 0) as written"
        " from llm.attempts",
    )
    return int(row["read"]), int(row["written"])
