"""The message contract: what a publisher sends, and how bytes become a document or a rejection.

Documents are hostile input: every field is bounded, and nothing in them is used as an id, a path
or an instruction.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, Literal

import pycountry
from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    StringConstraints,
    ValidationError,
    model_validator,
)

Reason = Literal[
    "too_large",
    "not_utf8",
    "not_json",
    "not_an_object",
    "invalid_text",
    "invalid_field",
    "invalid_attribute",
    "version_conflict",
    "message_id_conflict",
    "dead_lettered",
]

MAX_BATCH_ID = 200
MAX_NAME = 300
MAX_VERSION = 2_147_483_647
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Rejected(Exception):
    """These bytes are not a document. `detail` is a sentence for the publisher."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds the character U+0000, which cannot be stored")
    if _LONE_SURROGATE.search(text):
        raise ValueError("holds half of a surrogate pair, which is not a character")
    return text


def find_country(text: str) -> str | None:
    """The ISO 3166-1 alpha-2 code that the text stands for, in capitals: ` de` is DE."""
    country = pycountry.countries.get(alpha_2=text.strip())
    return None if country is None else str(country.alpha_2)


def _country(text: str) -> str:
    code = find_country(text)
    if code is None:
        raise ValueError(f"{text[:40]!r} is no ISO 3166-1 alpha-2 country code, such as DE")
    return code


def _iso_date(value: object) -> object:
    """A string in ISO 8601 from 1900 to 2199; a bare date means midnight, no zone means UTC."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a string in ISO 8601, such as 2026-02-04T00:00:00Z")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value[:40]!r} is not a date in ISO 8601") from None
    if not 1900 <= moment.year < 2200:
        raise ValueError(f"{value[:40]!r} is not between 1900 and 2199")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_STORABLE = AfterValidator(_storable)
_NAME = StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=MAX_NAME)
Text = Annotated[str, StringConstraints(strict=True), _STORABLE]
Line = Annotated[str, StringConstraints(strict=True, max_length=2_000), _STORABLE]
Name = Annotated[str, _NAME, _STORABLE]
Moment = Annotated[AwareDatetime, BeforeValidator(_iso_date)]


class SupplierHint(BaseModel):
    """The publisher's word on which supplier the document is about, and where."""

    model_config = ConfigDict(frozen=True)

    supplier: Name
    country: Annotated[str, AfterValidator(_country)] | None = None


class Document(BaseModel):
    """One news document. Only `text` is required; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    external_id: Annotated[
        Name | None, Field(validation_alias=AliasChoices("external_id", "document_id"))
    ] = None
    source: Name = "unknown"
    version: Annotated[StrictInt, Field(ge=1, le=MAX_VERSION)] = 1
    title: Line = ""
    text: Annotated[Text, Field(validation_alias=AliasChoices("text", "body"))]
    publisher: Name | None = None
    url: Line | None = None
    language: Name | None = None
    published_at: Moment | None = None
    original_published_at: Moment | None = None
    supplier_hints: Annotated[tuple[SupplierHint, ...], Field(max_length=50)] = ()

    @model_validator(mode="before")
    @classmethod
    def _null_means_absent(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: item for key, item in value.items() if item is not None}
        return value

    @model_validator(mode="after")
    def _has_text(self) -> "Document":
        if not self.text.strip():
            raise ValueError("text is empty")
        return self

    @cached_property
    def content_sha256(self) -> bytes:
        """Hash of title and text, blind to case, white space and Unicode form, to dates and ids."""
        return hashlib.sha256(
            f"{normalised(self.title)}\n{normalised(self.text)}".encode()
        ).digest()

    @property
    def identity(self) -> str:
        """The publisher's id of the document, or its content where the publisher gives none."""
        return self.external_id or f"sha256:{self.content_sha256.hex()}"

    def to_json(self) -> bytes:
        """The message data: UTF-8 JSON of the fields that are set."""
        fields = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        return json.dumps(fields, ensure_ascii=False).encode()


def parse_document(data: bytes, max_bytes: int) -> Document:
    """Read the data of a message. Raises Rejected with a reason class and a sentence."""
    if len(data) > max_bytes:
        raise Rejected(
            "too_large",
            f"the document has {len(data):,} bytes; the limit is {max_bytes:,} "
            "(INGEST_MAX_DOCUMENT_BYTES)",
        )
    try:
        content = json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Rejected("not_utf8", f"byte {error.start} is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise Rejected("not_json", f"not JSON: {error}") from None
    return validate_document(content)


def validate_document(content: object) -> Document:
    """Check one decoded document. Raises Rejected naming the first field that is wrong."""
    if not isinstance(content, dict):
        raise Rejected("not_an_object", f"a {type(content).__name__}, not a JSON object")
    try:
        return Document.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        detail = f"{field}: {message}" if field else message
        unstorable = (
            "U+0000" in detail or "surrogate" in detail or first["type"] == "string_unicode"
        )
        raise Rejected("invalid_text" if unstorable else "invalid_field", detail) from None


def check_attributes(attributes: Mapping[str, str], ordering_key: str) -> None:
    """Raises Rejected when the batch id or the ordering key cannot be stored."""
    if len(attributes.get("batch_id", "")) > MAX_BATCH_ID:
        raise Rejected("invalid_attribute", f"batch_id is longer than {MAX_BATCH_ID} characters")
    if "\x00" in attributes.get("batch_id", "") or "\x00" in ordering_key:
        raise Rejected("invalid_attribute", "batch_id or ordering key holds U+0000")


def batch_id_of(attributes: Mapping[str, str]) -> str | None:
    """The batch that a message belongs to (attribute `batch_id`), cut to what can be stored."""
    return attributes.get("batch_id", "").replace("\x00", "")[:MAX_BATCH_ID] or None


def normalised(text: str) -> str:
    """Blind to case, white space and Unicode form."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
