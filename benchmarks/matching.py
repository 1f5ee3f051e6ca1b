"""Finding supplier names in text, beside one regular expression of all names."""

import re

from benchmarks.measuring import Figure, in_turns, spent_by
from benchmarks.parts import Parts
from benchmarks.sample import sample_documents
from orchestration.ingestion.supplier_csv import read_csv
from orchestration.scoring.evidence import document_text
from orchestration.scoring.supplier_names import SupplierNames
from orchestration.settings import REPOSITORY

_ROUNDS = 3


def run(_parts: Parts) -> list[Figure]:
    """Microseconds per document over the whole sample and the whole supplier master."""
    suppliers = read_csv(REPOSITORY / "data" / "suppliers.csv")
    texts = [document_text(document.title, document.text) for document in sample_documents()]
    finder = SupplierNames(suppliers)
    names = {name for supplier in suppliers for name in (supplier.name, *supplier.aliases)}
    longest_first = sorted(map(re.escape, names), key=len, reverse=True)
    expression = re.compile(rf"\b(?:{'|'.join(longest_first)})\b")

    def product() -> None:
        for text in texts:
            list(finder.find(text))

    def peer() -> None:
        for text in texts:
            list(expression.finditer(text))

    products, peers = in_turns(
        _ROUNDS,
        lambda: spent_by(product).wall / len(texts) * 1e6,
        lambda: spent_by(peer).wall / len(texts) * 1e6,
    )
    peer_is = f"one compiled alternation of {len(names)} names between word boundaries"
    return [Figure("matching", "µs/document", products, peers, peer_is)]
