"""Where the dbt project is, and its manifest, which Dagster reads to know the models."""

import subprocess
import sys
from pathlib import Path

from dagster_dbt import DbtProject

from orchestration.errors import StackError
from orchestration.settings import REPOSITORY

FOLDER = REPOSITORY / "dbt_project"
DBT = Path(sys.executable).parent / "dbt"
PROJECT = DbtProject(project_dir=FOLDER, profiles_dir=FOLDER)
_SOURCES = ("dbt_project.yml", "profiles.yml", "models", "seeds", "macros", "tests")


def ensure_manifest() -> Path:
    """Write the manifest with `dbt parse` if it is missing or older than the project's files."""
    manifest = PROJECT.manifest_path
    if not manifest.exists() or manifest.stat().st_mtime < _last_change():
        folders: list[str | Path] = ["--project-dir", FOLDER, "--profiles-dir", FOLDER]
        done = subprocess.run([DBT, "parse", "--quiet", *folders], capture_output=True, text=True)
        if done.returncode != 0:
            raise StackError(f"`dbt parse` failed:\n{done.stdout}{done.stderr}")
        manifest.touch()
    return manifest


def _last_change() -> float:
    roots = [FOLDER / name for name in _SOURCES]
    files = [path for root in roots for path in (root.rglob("*") if root.is_dir() else [root])]
    return max(path.stat().st_mtime for path in [*roots, *files])
