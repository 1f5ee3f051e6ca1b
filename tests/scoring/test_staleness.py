"""What Dagster shows as stale: what another prompt or model made, and nothing else."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver  # has no other door
from dagster._core.loader import LoadingContextForTest

import orchestration
from orchestration.definitions import defs
from orchestration.job_names import SCORE_PENDING
from orchestration.resources.dagster import LlmEndpoint, Postgres
from orchestration.resources.postgres import Connection
from orchestration.scoring import assets
from tests.conftest import Analyst
from tests.scoring.scenario import BANKRUPTCY, RECALL, land_texts

_PRINT_VERSIONS = """
import json
from orchestration.scoring import assets
specs = [*assets.supplier_mentions.specs, *assets.risk_findings_and_briefs.specs]
print(json.dumps({spec.key.to_user_string(): spec.code_version for spec in specs}))
"""


def versions(folder: Path, hash_seed: int = 0) -> dict[str, str]:
    """The code versions of the assets, of the code in this folder, in a process of their own."""
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONHASHSEED": str(hash_seed)}
    printed = subprocess.check_output(
        [sys.executable, "-c", _PRINT_VERSIONS], cwd=folder, env=environment, text=True
    )
    found: dict[str, str] = json.loads(printed)
    return found


def test_an_edited_prompt_is_another_code_version_of_its_asset_alone(tmp_path: Path) -> None:
    code = Path(orchestration.__file__).parent
    copy = tmp_path / "orchestration"
    shutil.copytree(code, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = versions(tmp_path)
    assert before == versions(code.parent, hash_seed=1)
    for asset, version in before.items():
        prompt = copy / "scoring" / "prompts" / f"{asset}.md"
        text = prompt.read_text()
        prompt.write_text(f"Be brief. {text}")
        edited = versions(tmp_path)
        assert edited.pop(asset) != version
        assert edited == {key: value for key, value in before.items() if key != asset}
        prompt.write_text(text)


def score(instance: dg.DagsterInstance) -> None:
    quietly = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    job = defs.resolve_job_def(SCORE_PENDING)
    assert job.execute_in_process(instance=instance, run_config=quietly).success


def causes(
    instance: dg.DagsterInstance, change: Callable[[dg.AssetSpec], dg.AssetSpec] = lambda x: x
) -> dict[str, list[str]]:
    """Why each asset is stale, the partitioned ones in acme@MX, after a change of the code."""
    code: list[Any] = [assets.supplier_mentions, assets.risk_findings_and_briefs]
    changed = [each.map_asset_specs(change) for each in code]
    world = {"postgres": Postgres(), "llm": LlmEndpoint()}
    graph = dg.Definitions(changed, resources=world).resolve_asset_graph()
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    partitions = {assets.FINDINGS: "acme@MX", assets.BRIEFS: "acme@MX", assets.MENTIONS: None}
    found = {
        key.to_user_string(): [
            cause.category.value for cause in resolver.get_stale_causes(key, partition)
        ]
        for key, partition in partitions.items()
    }
    return {key: reasons for key, reasons in found.items() if reasons}


def test_a_pair_is_stale_when_its_prompt_changes_and_not_when_another_pair_has_news(
    connection: Connection, analyst: Analyst
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for text in (RECALL, BANKRUPTCY):
            land_texts(connection, text)
            score(instance)
        assert instance.get_materialized_partitions(assets.BRIEFS) == {"acme@MX", "beta@DE"}
        assert causes(instance) == {}

        def edited(spec: dg.AssetSpec) -> dg.AssetSpec:
            return spec.replace_attributes(code_version="edited")

        own = causes(instance, lambda s: edited(s) if s.key == assets.FINDINGS else s)
        assert own == {"risk_findings": ["CODE"]}
        brief = causes(instance, lambda s: edited(s) if s.key == assets.BRIEFS else s)
        assert brief == {"risk_briefs": ["CODE"]}


def test_a_pair_that_another_model_did_not_see_yet_is_stale(
    connection: Connection, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        land_texts(connection, RECALL)
        score(instance)
        monkeypatch.setenv("LLM_MODEL", "another")
        land_texts(connection, BANKRUPTCY)
        score(instance)
        assert causes(instance) == {"risk_findings": ["DATA"]}
