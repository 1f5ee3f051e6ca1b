"""How dbt resources show in Dagster: one method for each decision.

Not decided here: the description is dbt's own with its SQL, the kinds are dbt and postgres, the
code version is a hash of the SQL or of the seed's rows.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

from orchestration.ingestion.assets import DOCUMENTS, SUPPLIERS
from orchestration.ingestion.dead_letter_jobs import DEAD_LETTERS
from orchestration.scoring.assets import BRIEFS, FINDINGS, MENTIONS

_SOURCE_KEYS = {
    "ingest.documents": DOCUMENTS,
    "ingest.suppliers": SUPPLIERS,
    "risk.message_states": DOCUMENTS,
    "risk.pairs": MENTIONS,
    "risk.mentions": MENTIONS,
    "risk.current_mentions": MENTIONS,
    "risk.generations": FINDINGS,
    "risk.assessments": FINDINGS,
    "risk.current_assessments": FINDINGS,
    "risk.findings": FINDINGS,
    "risk.retractions": FINDINGS,
    "risk.retracted": FINDINGS,
    "risk.briefs": BRIEFS,
    "risk.dead_letters": DEAD_LETTERS,
    "llm.requests": FINDINGS,
    "llm.attempts": FINDINGS,
    "llm.responses": FINDINGS,
}
"""The asset whose runs fill each source: news of it ask for a refresh."""


class Translator(DagsterDbtTranslator):
    """Asset key = table name; sources are the assets that fill them."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True))

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """The upstream asset of a source; a model's or seed's own name. KeyError if unbound."""
        if dbt_resource_props["resource_type"] != "source":
            return dg.AssetKey(dbt_resource_props["name"])
        source = f"{dbt_resource_props['source_name']}.{dbt_resource_props['name']}"
        if source not in _SOURCE_KEYS:
            raise KeyError(f"No asset is bound to the dbt source {source}: add it to _SOURCE_KEYS.")
        return _SOURCE_KEYS[source]

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The layer: policy (seeds), staging, intermediate, marts or refresh."""
        if dbt_resource_props["resource_type"] == "seed":
            return "policy"
        return str(dbt_resource_props["fqn"][1])
