"""Near copies: one story under many publishers, a few words apart, is scored once.

Only what would be asked about is compared, so that landing stays fast: a first version that names
suppliers. It is a copy of an earlier document when nearly all its word triples are the same, when
it names no supplier in a country and no number that the other lacks, and when the two are dated
within a week of each other. When in doubt, it is none: a copy too few costs a call, one too many
hides news. MinHash is datasketch's.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

import numpy as np
from datasketch import MinHash

from orchestration.ingestion.message import normalised
from orchestration.resources.postgres import Connection

SIMILARITY = 0.85
_WINDOW = timedelta(days=7)
_PERMUTATIONS = 128
_ROWS_PER_BAND = 8
_WORDS = 3
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")

Pair = tuple[str, str]


@dataclass(frozen=True)
class Text:
    """A document that may be a copy, or have some. `pairs` are its suppliers and countries."""

    document_id: UUID
    content: str
    published_at: datetime | None
    pairs: frozenset[Pair]

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Every number in it."""
        return frozenset(_NUMBER.findall(self.content))

    @cached_property
    def signature(self) -> "np.ndarray[tuple[int], np.dtype[np.uint32]]":
        """128 numbers; the share that two signatures have in common estimates how alike they are."""
        words = normalised(self.content).split()
        count = max(1, len(words) - _WORDS + 1)
        shingles = {" ".join(words[start : start + _WORDS]) for start in range(count)}
        hashed = MinHash(num_perm=_PERMUTATIONS, seed=1)
        hashed.update_batch([shingle.encode() for shingle in shingles])
        return hashed.digest().astype(np.uint32)
