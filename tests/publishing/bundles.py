"""A small bundle that fits a small manifest, and copies of both in which one thing is changed."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.publishing.bundle import Bundle, dashboards_of_buyers, read
from orchestration.publishing.fit import faults

_GOOD = Path(__file__).parent / "good"
MARTS = {
    "scores": {
        "supplier_category": "text",
        "country": "text",
        "day": "date",
        "score": "numeric(4,1)",
        "seen_at": "timestamp with time zone",
        "title": "text",
    },
    "country_names": {"country": "text", "country_name": "text"},
    "calls": {"step": "text", "calls": "bigint", "ids": "bigint[]"},
}
EXPOSURES = {
    "overview": ["scores", "country_names"],
    "llm_operations": ["calls", "scores", "country_names"],
}


@dataclass(frozen=True)
class Files:
    """A folder of a test's own."""

    folder: Path

    @classmethod
    def good(cls, folder: Path) -> "Files":
        shutil.copytree(_GOOD, folder / "superset")
        files = cls(folder)
        files.write_manifest(MARTS, EXPOSURES)
        return files

    @property
    def bundle(self) -> Path:
        return self.folder / "superset" / "bundle"

    @property
    def access(self) -> Path:
        return self.folder / "superset" / "access.yaml"

    @property
    def manifest(self) -> Path:
        return self.folder / "manifest.json"

    def change(self, file: str, old: str, new: str) -> None:
        path = self.bundle / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file} holds {old!r} {text.count(old)} times"
        path.write_text(text.replace(old, new))

    def write_manifest(
        self, marts: Mapping[str, Mapping[str, str]], exposures: Mapping[str, Sequence[str]]
    ) -> None:
        nodes = {
            f"model.p.{name}": {
                "name": name,
                "resource_type": "model",
                "schema": "marts",
                "columns": {column: {"data_type": kind} for column, kind in columns.items()},
            }
            for name, columns in marts.items()
        }
        told = {
            f"exposure.p.{name}": {
                "name": name,
                "type": "dashboard",
                "depends_on": {"nodes": [f"model.p.{mart}" for mart in depends_on]},
            }
            for name, depends_on in exposures.items()
        }
        self.manifest.write_text(json.dumps({"nodes": nodes, "exposures": told}))

    def read(self) -> Bundle:
        return read(self.bundle)

    def faults(self) -> list[str]:
        return [
            str(fault)
            for fault in faults(self.read(), self.manifest, dashboards_of_buyers(self.access))
        ]
