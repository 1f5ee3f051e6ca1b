"""How dbt resources show in Dagster: one method for each decision."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

from orchestration.ingestion.assets import DOCUMENTS, SUPPLIERS
from orchestration.ingestion.dead_letter_jobs import DEAD_LETTERS
from orchestration.scoring.assets import BRIEFS, FINDINGS, MENTIONS

_SOURCE_KEYS = {
    "llm.attempts": FINDINGS,
    "llm.requests": FINDINGS,
    "llm.responses": FINDINGS,
    "ingest.documents": DOCUMENTS,
    "ingest.suppliers": SUPPLIERS,
    "risk.message_states": DOCUMENTS,
    "risk.pairs": MENTIONS,
    "risk.mentions": MENTIONS,
    "risk.current_mentions": MENTIONS,
    "risk.current_assessments": FINDINGS,
    "risk.assessments": FINDINGS,
    "risk.briefs": BRIEFS,
    "risk.findings": FINDINGS,
    "risk.generations": FINDINGS,
    "risk.retracted": FINDINGS,
    "risk.retractions": FINDINGS,
    "risk.dead_letters": DEAD_LETTERS,
}


class Translator(DagsterDbtTranslator):
    """Asset key = table name; sources are the assets that fill them."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True))

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """The upstream asset of a source; a model's or seed's own name. KeyError if unbound."""
        if dbt_resource_props["resource_type"] == "source":
            source = f"{dbt_resource_props['source_name']}.{dbt_resource_props['name']}"
            return _SOURCE_KEYS[source]
        return dg.AssetKey(dbt_resource_props["name"])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The layer: policy (seeds), staging, intermediate or marts."""
        if dbt_resource_props["resource_type"] == "seed":
            return "policy"
        return str(dbt_resource_props["fqn"][1])
