"""The dbt project as it is read: a warning is an error, and an unbound source is one, too."""

import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from orchestration.errors import StackError
from orchestration.scoring.assets import FINDINGS
from orchestration.transformation import project
from orchestration.transformation.project import FOLDER, ensure_manifest
from orchestration.transformation.translator import Translator


def add(path: str, text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / path
        file.write_text((file.read_text() if file.exists() else "") + text)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (add("dbt_project.yml", "snapshots: {supplier_risk: {+enabled: true}}\n"), "snapshots"),
        (
            add("models/marts/gone.yml", "models:\n  - {name: gone, description: No SQL.}\n"),
            "'gone'",
        ),
    ],
    ids=["a configuration of nothing", "the description of a model that is gone"],
)
def test_a_warning_stops_the_reading_and_says_what_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: Callable[[Path], None], words: str
) -> None:
    copy = tmp_path / "dbt_project"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("target", "logs"))
    change(copy)
    monkeypatch.setattr(project, "FOLDER", copy)
    with pytest.raises(StackError, match=words):
        ensure_manifest(target=tmp_path / "target")
    assert not (tmp_path / "target" / "manifest.json").exists()


def test_a_source_that_no_asset_fills_is_an_error_that_names_it() -> None:
    source = {"resource_type": "source", "source_name": "risk", "name": "findings"}
    assert Translator().get_asset_key(source) == FINDINGS
    with pytest.raises(KeyError, match=r"risk\.findngs: add it to _SOURCE_KEYS"):
        Translator().get_asset_key({**source, "name": "findngs"})


def test_a_table_is_called_as_dbt_calls_it_and_stands_in_its_layer() -> None:
    seed = {"resource_type": "seed", "name": "risk_bands", "fqn": ["supplier_risk", "risk_bands"]}
    mart = {
        "resource_type": "model",
        "name": "risk_events",
        "fqn": ["supplier_risk", "marts", "risk_events"],
    }
    assert Translator().get_asset_key(mart) == dg.AssetKey("risk_events")
    assert [Translator().get_group_name(node) for node in (seed, mart)] == ["policy", "marts"]
