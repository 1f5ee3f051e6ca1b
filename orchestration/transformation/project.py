"""Where the dbt project is, and its manifest, which Dagster reads to know the models.

Does not import dbt or Dagster, so that the local stack and the tests start quickly.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from orchestration.errors import StackError
from orchestration.settings import REPOSITORY, environment

FOLDER = REPOSITORY / "dbt_project"
DBT = Path(sys.executable).parent / "dbt"
MANIFEST = FOLDER / "target" / "manifest.json"
_SOURCES = ("dbt_project.yml", "profiles.yml", "models", "seeds", "macros", "tests")


def ensure_manifest(variables: Mapping[str, str] | None = None) -> Path:
    """Write the manifest with `dbt parse` unless it was made from these very files and variables.

    `variables` are the environment of later builds: with others, dbt would parse everything anew
    at each build. Raises StackError with dbt's words.
    """
    stamp = MANIFEST.parent / "parsed_from.txt"
    digest = _digest(variables or {})
    if not MANIFEST.exists() or not stamp.exists() or stamp.read_text() != digest:
        folders: list[str | Path] = ["--project-dir", FOLDER, "--profiles-dir", FOLDER]
        done = subprocess.run(
            [DBT, "parse", "--quiet", *folders],
            env={**environment(), **(variables or {})},
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise StackError(f"`dbt parse` failed:\n{done.stdout}{done.stderr}")
        stamp.write_text(digest)
    return MANIFEST


def _digest(variables: Mapping[str, str]) -> str:
    roots = [FOLDER / name for name in _SOURCES]
    files = [path for root in roots for path in ([root] if root.is_file() else root.rglob("*"))]
    content = [(str(path), path.stat().st_mtime_ns) for path in sorted(files) if path.is_file()]
    used = sorted((k, v) for k, v in variables.items() if k.startswith("POSTGRES_"))
    return hashlib.sha256(json.dumps([content, used]).encode()).hexdigest()
