"""What a scoring run did, pair by pair: the numbers behind metadata, logs and checks."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from orchestration.scoring.calls import Answer


@dataclass
class PairReport:
    """One pair in one run. `cost_usd` is None when the price of a call is unknown."""

    documents: int = 0
    failed: int = 0
    calls: int = 0
    answered: int = 0
    from_cache: int = 0
    cost_usd: Decimal | None = Decimal(0)
    responses: list[int] = field(default_factory=list)

    def count(self, answer: Answer) -> None:
        """Add one answer's calls and cost."""
        self.calls += answer.calls
        self.answered += answer.calls > 0 and answer.response_id is not None
        self.from_cache += answer.calls == 0
        if answer.response_id is not None:
            self.responses.append(answer.response_id)
        if self.cost_usd is None or answer.cost_usd is None:
            self.cost_usd = None
        else:
            self.cost_usd += answer.cost_usd

    def metadata(self) -> dict[str, Any]:
        """Calls and cost, as Dagster shows them."""
        return {
            "paid_calls": self.calls,
            "answers_from_cache": self.from_cache,
            "cost_usd": "unknown" if self.cost_usd is None else float(self.cost_usd),
        }


@dataclass
class RunReport:
    """All pairs that a run touched, by partition key, and its work items by outcome."""

    pairs: dict[str, PairReport] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)

    def pair(self, partition_key: str) -> PairReport:
        """The report of a pair, begun if it is new."""
        return self.pairs.setdefault(partition_key, PairReport())
