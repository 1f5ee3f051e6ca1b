"""Where the dbt project is, and its manifest, which Dagster reads to know the models.

Does not import dbt or Dagster, so that the local stack and the tests start quickly.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from orchestration.errors import StackError
from orchestration.settings import REPOSITORY, dbt_target_folder, environment

FOLDER = REPOSITORY / "dbt_project"
DBT = Path(sys.executable).parent / "dbt"
TARGET = dbt_target_folder(FOLDER)
MANIFEST = TARGET / "manifest.json"
_SOURCES = ("dbt_project.yml", "profiles.yml", "models", "seeds", "macros", "tests")
_PARSED = ("partial_parse.msgpack", "manifest.json")


def ensure_manifest(variables: Mapping[str, str] | None = None, target: Path = TARGET) -> Path:
    """Write the manifest with `dbt parse` unless it was made from these very files and variables.

    `variables` are the environment of later builds: with others, dbt would parse everything anew
    at each build. Who reads the manifest meanwhile reads the old one or the new one, whole.
    Raises StackError with dbt's words.
    """
    stamp = target / "parsed_from.txt"
    manifest = target / "manifest.json"
    digest = _digest(variables or {})
    if not manifest.exists() or not stamp.exists() or stamp.read_text() != digest:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix="parsing-") as folder:
            _parse(variables or {}, Path(folder))
            for name in _PARSED:
                (Path(folder) / name).replace(target / name)
        stamp.write_text(digest)
    return manifest


def _parse(variables: Mapping[str, str], folder: Path) -> None:
    paths: list[str | Path] = ["--project-dir", FOLDER, "--profiles-dir", FOLDER]
    paths += ["--target-path", folder, "--log-path", folder]
    done = subprocess.run(
        [DBT, "parse", "--quiet", *paths],
        env={**environment(), **variables},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise StackError(f"`dbt parse` failed:\n{done.stdout}{done.stderr}")


def _digest(variables: Mapping[str, str]) -> str:
    roots = [FOLDER / name for name in _SOURCES]
    files = [path for root in roots for path in ([root] if root.is_file() else root.rglob("*"))]
    content = [(str(path), path.stat().st_mtime_ns) for path in sorted(files) if path.is_file()]
    used = sorted((k, v) for k, v in variables.items() if k.startswith("POSTGRES_"))
    return hashlib.sha256(json.dumps([content, used]).encode()).hexdigest()
