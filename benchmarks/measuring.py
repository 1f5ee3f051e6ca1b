"""What a measurement is: the product and its peer taken in turns, and the figure they make."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeVar

Product = TypeVar("Product")
Peer = TypeVar("Peer")


@dataclass(frozen=True)
class Spent:
    """Seconds on the clock, and seconds of CPU in this process."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Figure:
    """One measure of both sides, a sample for each round. `peer_is` says what the peer does."""

    measure: str
    unit: str
    product: Sequence[float]
    peer: Sequence[float]
    peer_is: str

    @property
    def ratio(self) -> float:
        """The product's median in units of the peer's."""
        return median(self.product) / median(self.peer)

    def to_json(self) -> dict[str, Any]:
        """Medians, ratio and every sample, to four significant digits."""
        return {
            "measure": self.measure,
            "unit": self.unit,
            "product": _rounded(median(self.product)),
            "peer": _rounded(median(self.peer)),
            "ratio": _rounded(self.ratio),
            "peer_is": self.peer_is,
            "product_samples": [_rounded(sample) for sample in self.product],
            "peer_samples": [_rounded(sample) for sample in self.peer],
        }


def spent_by(action: Callable[[], object]) -> Spent:
    """Run it once."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def in_turns(
    rounds: int, product: Callable[[], Product], peer: Callable[[], Peer]
) -> tuple[list[Product], list[Peer]]:
    """Product, peer, product, peer: what disturbs the machine for a while disturbs both."""
    products, peers = [], []
    for _ in range(rounds):
        products.append(product())
        peers.append(peer())
    return products, peers


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
