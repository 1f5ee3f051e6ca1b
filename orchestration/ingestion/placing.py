"""Decides what each message of a batch is, given what is landed already. Pure: no SQL, no clock.

A message is a new document, a duplicate of one, or a rejection; or no new message at all: a
redelivery, or a conflict (the id of an earlier message with other content).
"""

import hashlib
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from orchestration.ingestion.message import (
    Document,
    Rejected,
    check_attributes,
    parse_document,
)
from orchestration.resources.broker import Message

LandedAs = Literal["document", "duplicate", "rejection"]


@dataclass(frozen=True)
class Delivery:
    """A pulled message, read once: a document, or why it is none."""

    message: Message
    max_document_bytes: int

    def read(self) -> None:
        """Read and hash now what else is read at its first use, perhaps under a lock."""
        self.content, self.data_sha256  # noqa: B018

    @cached_property
    def data_sha256(self) -> bytes:
        """Hash of the bytes as they came."""
        return hashlib.sha256(self.message.data).digest()

    @cached_property
    def content(self) -> "Document | Rejected | AlreadyLanded":
        """What the bytes say."""
        try:
            check_attributes(self.message.attributes, self.message.ordering_key)
            return parse_document(self.message.data, self.max_document_bytes)
        except Rejected as rejected:
            return rejected


@dataclass(frozen=True)
class AlreadyLanded:
    """These bytes need not be read: they came before, as this document."""

    document_id: uuid.UUID


@dataclass(frozen=True)
class KnownDocument:
    """A document that is landed already."""

    document_id: uuid.UUID
    source: str
    external_id: str
    version: int
    content_sha256: bytes
    is_superseded: bool
    duplicate_of: uuid.UUID | None


@dataclass(frozen=True)
class Known:
    """What the database holds about a batch: hashes by message id, documents it may touch, the
    oldest first.
    """

    messages: dict[str, bytes] = field(default_factory=dict)
    documents: Sequence[KnownDocument] = ()


@dataclass
class NewDocument:
    """A document to insert."""

    document_id: uuid.UUID
    document: Document
    superseded_by: uuid.UUID | None = None
    duplicate_of: uuid.UUID | None = None

    @property
    def is_current(self) -> bool:
        """Whether it is neither a copy nor outdated, that is, to be scored."""
        return self.superseded_by is None and self.duplicate_of is None


@dataclass(frozen=True)
class NewMessage:
    """A message to insert, and what became of it."""

    delivery: Delivery
    landed_as: LandedAs
    document_id: uuid.UUID | None = None


@dataclass(frozen=True)
class Refusal:
    """Bytes to keep that are no document, or contradict one."""

    delivery: Delivery
    reason: str
    detail: str


@dataclass
class Plan:
    """Everything that one batch writes. `superseded` maps a landed document to its successor.

    `moved_copies` maps a landed copy to its new original, or to None: it is the original now.
    """

    messages: list[NewMessage] = field(default_factory=list)
    documents: dict[uuid.UUID, NewDocument] = field(default_factory=dict)
    superseded: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    moved_copies: dict[uuid.UUID, uuid.UUID | None] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    redelivered: list[str] = field(default_factory=list)

    def to_read(self) -> list[uuid.UUID]:
        """Documents that are originals since this batch: new ones, and copies that became one. Also
        those that are not, but took the place of a version whose findings count no more now."""
        successors = set(self.superseded.values())
        new = [
            d.document_id
            for d in self.documents.values()
            if d.is_current or d.document_id in successors
        ]
        promoted = [copy for copy, original in self.moved_copies.items() if original is None]
        return new + [document_id for document_id in promoted if document_id not in self.superseded]

    def counts(self) -> Counter[str]:
        """Messages by what became of them; `redelivered` and `conflict` are no new messages."""
        counts = Counter[str](message.landed_as for message in self.messages)
        counts["redelivered"] = len(self.redelivered)
        counts["conflict"] = sum(r.reason == "message_id_conflict" for r in self.refusals)
        return +counts


def plan(batch: Sequence[Delivery], known: Known) -> Plan:
    """Decide for each delivery, in order; earlier ones of the batch count as landed."""
    result = Plan()
    hashes = dict(known.messages)
    library = _Library(known.documents, result)
    for delivery in batch:
        message_id = delivery.message.message_id
        if message_id not in hashes:
            hashes[message_id] = delivery.data_sha256
            result.messages.append(_place(delivery, library, result))
        elif hashes[message_id] == delivery.data_sha256:
            result.redelivered.append(message_id)
        else:
            detail = "a message with this id and other content was received before"
            result.refusals.append(Refusal(delivery, "message_id_conflict", detail))
    return result


def _place(delivery: Delivery, library: "_Library", result: Plan) -> NewMessage:
    try:
        if isinstance(delivery.content, Rejected):
            raise delivery.content
        if isinstance(delivery.content, AlreadyLanded):
            return NewMessage(delivery, "duplicate", delivery.content.document_id)
        document_id = library.find(delivery.content)
        if document_id is not None:
            return NewMessage(delivery, "duplicate", document_id)
        return NewMessage(delivery, "document", library.add(delivery.content))
    except Rejected as rejected:
        result.refusals.append(Refusal(delivery, rejected.reason, rejected.detail))
        return NewMessage(delivery, "rejection")


class _Library:
    """The documents that a batch may touch, the known ones and those that it adds.

    Of each text at most one current document is the original. `_copies` are those that point to
    it, the oldest first: with the same text, or nearly so (see scoring/near_copies.py).
    """

    def __init__(self, known: Sequence[KnownDocument], result: Plan) -> None:
        self._result = result
        self._versions: dict[tuple[str, str], dict[int, tuple[uuid.UUID, bytes]]] = {}
        self._originals: dict[bytes, uuid.UUID] = {}
        self._copies: dict[uuid.UUID, list[tuple[uuid.UUID, bytes]]] = {}
        for document in known:
            versions = self._versions.setdefault((document.source, document.external_id), {})
            versions[document.version] = (document.document_id, document.content_sha256)
            if document.is_superseded:
                continue
            if document.duplicate_of is None:
                self._originals[document.content_sha256] = document.document_id
            else:
                copy = (document.document_id, document.content_sha256)
                self._copies.setdefault(document.duplicate_of, []).append(copy)

    def find(self, document: Document) -> uuid.UUID | None:
        """The same version of the same document. Raises Rejected when its text is another."""
        versions = self._versions.get((document.source, document.identity), {})
        document_id, content = versions.get(document.version, (None, b""))
        if document_id is not None and content != document.content_sha256:
            raise Rejected(
                "version_conflict",
                f"version {document.version} of this document was received before with other "
                "text; publish a correction with a higher version",
            )
        return document_id

    def add(self, document: Document) -> uuid.UUID:
        """Place a new version: behind a newer one, or on top, where it may be a copy."""
        new = NewDocument(uuid.uuid4(), document)
        versions = self._versions.setdefault((document.source, document.identity), {})
        newer = [version for version in versions if version > document.version]
        self._result.documents[new.document_id] = new
        if newer:
            new.superseded_by = versions[min(newer)][0]
        else:
            if versions:
                self._supersede(*versions[max(versions)], by=new.document_id)
            self._settle(new)
        versions[document.version] = (new.document_id, document.content_sha256)
        return new.document_id

    def _settle(self, new: NewDocument) -> None:
        new.duplicate_of = self._original_for(new.document_id, new.document.content_sha256)

    def _original_for(self, document_id: uuid.UUID, content: bytes) -> uuid.UUID | None:
        """The original that this document is a copy of from now on; None: it is the original."""
        original = self._originals.setdefault(content, document_id)
        if original == document_id:
            return None
        self._copies.setdefault(original, []).append((document_id, content))
        return original

    def _supersede(self, old_id: uuid.UUID, content: bytes, by: uuid.UUID) -> None:
        if old_id in self._result.documents:
            self._result.documents[old_id].superseded_by = by
        else:
            self._result.superseded[old_id] = by
        if self._originals.get(content) == old_id:
            del self._originals[content]
            for copy_id, text in self._copies.pop(old_id, []):
                self._move_copy(copy_id, self._original_for(copy_id, text))
        else:
            for copies in self._copies.values():
                if (old_id, content) in copies:
                    copies.remove((old_id, content))

    def _move_copy(self, copy: uuid.UUID, original: uuid.UUID | None) -> None:
        if copy in self._result.documents:
            self._result.documents[copy].duplicate_of = original
        else:
            self._result.moved_copies[copy] = original
