"""What became of the requests: in all, and of each question by itself. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from benchmarks.stub.completions import Asked, Completion


@dataclass
class Served:
    """`answered` are those whose status 200 was written in full, `received` all that were read.

    A question is known by the step that asks it and the first line of its document.
    """

    received: int = 0
    answered: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    refused: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    received_of: Counter[str] = field(default_factory=Counter)
    answered_of: Counter[str] = field(default_factory=Counter)

    def begin(self) -> None:
        """A request is worked on."""
        self.received += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def ask(self, asked: Asked) -> None:
        """It is a question."""
        self.received_of[asked.question] += 1

    def answer(self, asked: Asked, completion: Completion) -> None:
        """It is paid for."""
        self.answered += 1
        self.answered_of[asked.question] += 1
        self.input_tokens += completion.prompt_tokens
        self.output_tokens += completion.output_tokens

    def totals(self) -> dict[str, Any]:
        """All but what is counted by question."""
        return {
            name: dict(value) if isinstance(value, Counter) else value
            for name, value in vars(self).items()
            if not name.endswith("_of")
        }

    def questions(self) -> dict[str, dict[str, int]]:
        """How often each was received and answered."""
        return {"received": dict(self.received_of), "answered": dict(self.answered_of)}
