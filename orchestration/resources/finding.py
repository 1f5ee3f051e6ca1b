"""What a check of a door to the outside found. Imports nothing, for the commands that only show."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "wrong", "unknown"]


@dataclass(frozen=True)
class Finding:
    """One part and how it is. `fix` holds commands, one a line; what is ok needs none."""

    part: str
    state: State
    what: str
    fix: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether it was seen to be right: what is unknown is not."""
        return self.state == "ok"
