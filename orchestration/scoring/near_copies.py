"""Near copies: one story under many publishers, a few words apart, is scored once.

Only what would be asked about is compared, so that landing stays fast: a first version that names
suppliers. It is a copy of an earlier document when nearly all its word triples are the same, when
it names no supplier in a country and no number that the other lacks, and when the two are dated
within a week of each other. When in doubt, it is none: a copy too few costs a call, one too many
hides news. MinHash is datasketch's.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from orchestration.ingestion.message import normalised
from orchestration.resources.postgres import Connection
from orchestration.scoring.evidence import document_text

SIMILARITY = 0.85
_WINDOW = timedelta(days=7)
_PERMUTATIONS = 128
_ROWS_PER_BAND = 8
_WORDS = 3
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")

Signature: TypeAlias = NDArray[np.uint32]
Pair: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class Text:
    """A document that may be a copy, or have some. `pairs` are its suppliers and countries;
    `published_at` is its real date, also where `publish --redate` moved it."""

    document_id: UUID
    content: str
    published_at: datetime | None
    pairs: frozenset[Pair]

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Every number in it."""
        return frozenset(_NUMBER.findall(self.content))

    @cached_property
    def signature(self) -> Signature:
        """128 numbers; the share that two signatures have in common is how alike texts are."""
        from datasketch import MinHash  # brings scipy: two seconds, for each run that starts

        words = normalised(self.content).split()
        count = max(1, len(words) - _WORDS + 1)
        shingles = {" ".join(words[start : start + _WORDS]) for start in range(count)}
        hashed = MinHash(num_perm=_PERMUTATIONS, seed=1)
        hashed.update_batch([shingle.encode() for shingle in shingles])
        return np.asarray(hashed.digest(), dtype=np.uint32)

    @property
    def bands(self) -> list[int]:
        """A hash of every eight numbers of the signature; texts that share none are not alike."""
        rows = self.signature.reshape(-1, _ROWS_PER_BAND)
        return [
            int.from_bytes(sha256(bytes([band]) + row.tobytes()).digest()[:8], signed=True)
            for band, row in enumerate(rows)
        ]

    def repeats(self, earlier: "Text") -> bool:
        """Whether this says nothing but what the earlier one says."""
        return (
            self.pairs <= earlier.pairs
            and self.numbers <= earlier.numbers
            and _are_near(self.published_at, earlier.published_at)
            and float(np.mean(self.signature == earlier.signature)) >= SIMILARITY
        )


def find(connection: Connection, texts: Sequence[Text]) -> dict[UUID, UUID]:
    """Of these texts, the oldest first, those that repeat an earlier one, and which.

    Earlier are the current originals that were looked at before, and those of `texts`.
    """
    copies: dict[UUID, UUID] = {}
    originals = _load_alike(connection, texts)
    for text in texts:
        original = next((o for o in originals if text.repeats(o)), None)
        if original is None:
            originals.append(text)
        else:
            copies[text.document_id] = original.document_id
    return copies


def mark(connection: Connection, texts: Sequence[Text], copies: Mapping[UUID, UUID]) -> None:
    """Point the copies, and what points to them, to their originals; keep the others' signatures.

    Call it in a transaction that landers wait for (see `landing.take_turn`).
    """
    connection.execute(
        """
        update ingest.documents set duplicate_of = copies.original_id
        from unnest(%s::uuid[], %s::uuid[]) as copies (document_id, original_id)
        where copies.document_id in (documents.document_id, documents.duplicate_of)
        """,
        [list(copies), list(copies.values())],
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ingest.signatures (document_id, signature, bands, pairs)"
            " values (%s, %s, %s, %s) on conflict (document_id) do nothing",
            [
                (
                    text.document_id,
                    text.signature.tobytes(),
                    text.bands,
                    Jsonb(sorted(text.pairs)),
                )
                for text in texts
                if text.document_id not in copies
            ],
        )


def _load_alike(connection: Connection, texts: Sequence[Text]) -> list[Text]:
    rows = connection.execute(
        """
        select
            documents.document_id, documents.title, documents.body,
            coalesce(documents.original_published_at, documents.published_at) as dated_at,
            signatures.pairs
        from ingest.signatures
        inner join ingest.documents using (document_id)
        where
            signatures.bands && %s::bigint[]
            and not signatures.document_id = any(%s)
            and documents.duplicate_of is null and documents.superseded_by is null
        order by (
            select min(messages.sequence) from ingest.messages
            where messages.document_id = documents.document_id
        )
        """,
        [[band for text in texts for band in text.bands], [text.document_id for text in texts]],
    )
    return [
        Text(
            row["document_id"],
            document_text(row["title"], row["body"]),
            row["dated_at"],
            frozenset((supplier, country) for supplier, country in row["pairs"]),
        )
        for row in rows
    ]


def _are_near(one: datetime | None, other: datetime | None) -> bool:
    return one is None or other is None or abs(one - other) <= _WINDOW
