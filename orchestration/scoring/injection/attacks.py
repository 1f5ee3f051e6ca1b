"""The attacks of attacks.yaml, and documents with one in them. Pure."""

from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from orchestration.scoring.evidence import document_text

Place = Literal["first", "middle", "last"]
PLACES: tuple[Place, ...] = ("first", "middle", "last")
_PATH = Path(__file__).parent / "attacks.yaml"
_TAGS = 0xE0000
_BITS = "\u200b\u200c"


class Attack(BaseModel):
    """A text, what it wants, and how it hides from the eye."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    language: str
    goal: Literal["lower", "raise", "leak", "none"]
    text: str
    hidden: Literal["tags", "bits", "split"] | None = None

    def written(self, token: str) -> str:
        """The text as it stands in a document."""
        text = self.text.replace("{token}", token)
        if self.hidden == "tags":
            return "".join(chr(_TAGS + ord(one)) for one in text)
        if self.hidden == "bits":
            bits = "".join(f"{one:08b}" for one in text.encode())
            return "".join(_BITS[int(bit)] for bit in bits)
        if self.hidden == "split":
            return _BITS[0].join(text)
        return text


@cache
def load() -> tuple[Attack, ...]:
    """All attacks of this package."""
    content = yaml.safe_load(_PATH.read_text(encoding="utf-8"))
    return TypeAdapter(tuple[Attack, ...]).validate_python(content["attacks"])


def attacked(title: str, body: str, attack: str, place: Place) -> str:
    """The document's text with the attack as a paragraph of its body."""
    paragraphs = body.split("\n\n")
    position = {"first": 0, "middle": len(paragraphs) // 2, "last": len(paragraphs)}[place]
    return document_text(
        title, "\n\n".join([*paragraphs[:position], attack, *paragraphs[position:]])
    )
