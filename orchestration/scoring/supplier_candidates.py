"""Companies that documents name as affected and that the supplier master lacks, for a person to
look at: the LLM of the mentions step reports them, here they are counted.
"""

from typing import Any

from orchestration.ingestion.suppliers import current_suppliers
from orchestration.resources.postgres import Connection
from orchestration.scoring.supplier_names import SupplierNames


def listing(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """`{"name", "countries", "documents", "first_seen_at"}`, the most documents first; without
    those that the master knows by now. Copies and older versions of a document do not count."""
    names = SupplierNames(current_suppliers(connection))
    rows = connection.execute(
        """
        select
            (array_agg(candidates.name order by candidates.first_seen_at, candidates.name))[1]
                as name,
            array_remove(array_agg(distinct candidates.country), null) as countries,
            count(*) as documents,
            min(candidates.first_seen_at) as first_seen_at
        from risk.supplier_candidates as candidates
        inner join ingest.documents using (document_id)
        where documents.superseded_by is null and documents.duplicate_of is null
        group by candidates.normalised_name
        order by documents desc, first_seen_at, candidates.normalised_name
        """
    )
    return [row for row in rows if names.resolve(row["name"]) is None][:limit]
