"""What is wrong with the dashboards' files, as it is told to a person."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """`file` is relative to superset/bundle; `what` names the column, metric or UUID."""

    file: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}. What to do: {self.fix}."
