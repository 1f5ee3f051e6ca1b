"""The taxonomy in code and the policy in the dbt seeds speak of the same things."""

import csv
from collections.abc import Iterator
from typing import Any

import pytest

from orchestration.scoring import prompts, taxonomy
from orchestration.scoring.status import STATES
from orchestration.settings import REPOSITORY
from orchestration.transformation.project import FOLDER


def seed(name: str) -> list[dict[str, str]]:
    with (FOLDER / "seeds" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def schemas(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from schemas(value)
    elif isinstance(node, list):
        for value in node:
            yield from schemas(value)


def test_dimensions_are_equal_in_code_and_seed() -> None:
    covers = {row["dimension"]: row["covers"] for row in seed("risk_dimensions")}
    assert covers == {d.value: text for d, text in taxonomy.DIMENSION_COVERS.items()}


def test_levels_are_equal_in_code_and_seed() -> None:
    levels = {int(row["level"]): row["name"] for row in seed("risk_levels")}
    assert levels == {level.value: level.name.lower() for level in taxonomy.Level}
    assert set(taxonomy.LEVEL_MEANS) == set(taxonomy.Level)


def test_statuses_are_equal_in_code_and_seed() -> None:
    assert {row["status"] for row in seed("risk_statuses")} == set(taxonomy.Status)


def test_the_states_of_a_message_are_equal_in_code_and_mart() -> None:
    model = (FOLDER / "models" / "marts" / "pipeline_reconciliation.sql").read_text()
    for state in STATES:
        assert f"'{state}'" in model


@pytest.mark.parametrize("name", ["Dimension", "EventType", "Status"])
def test_the_reply_schema_offers_exactly_the_taxonomy(name: str) -> None:
    offered = prompts.RISK_FINDINGS.schema["$defs"][name]["enum"]
    assert offered == [member.value for member in getattr(taxonomy, name)]


def test_the_prompt_explains_every_dimension_and_level() -> None:
    for dimension, covers in taxonomy.DIMENSION_COVERS.items():
        assert f"- {dimension}: {covers}" in prompts.RISK_FINDINGS.system
    for level, means in taxonomy.LEVEL_MEANS.items():
        assert f"- {level.value}: {means}" in prompts.RISK_FINDINGS.system


def test_every_publisher_of_the_sample_has_a_class_or_is_meant_to_be_unknown() -> None:
    import json

    sample = REPOSITORY / "data" / "sample" / "supplier_news.jsonl"
    sources = {json.loads(line)["source"] for line in sample.open()}
    known = {row["publisher"] for row in seed("publishers")}
    assert sources - known == {"Wikipedia Current Events Portal"}
