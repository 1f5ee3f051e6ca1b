"""Reads documents from files: JSONL, CSV, or folders of .txt, .md, .html and .pdf files.

Every record becomes a document or a refusal that names file, line and reason.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pypdf import PdfReader
from pypdf.errors import PyPdfError
from selectolax.lexbor import LexborHTMLParser

from orchestration.errors import UsageError
from orchestration.ingestion.message import Document, Rejected, validate_document

_TEXT_SUFFIXES = {".txt", ".md", ".html", ".htm", ".pdf"}


@dataclass(frozen=True)
class Record:
    """One document of a file, or why it is none. `place` is such as `news.jsonl, line 3`."""

    place: str
    content: Document | Rejected


def read(paths: list[Path]) -> Iterator[Record]:
    """All records below the paths, in the order given. Raises UsageError on an unusable path."""
    for path in paths:
        if path.is_dir():
            files = sorted(f for f in path.rglob("*") if f.suffix.lower() in _TEXT_SUFFIXES)
            if not files:
                raise UsageError(f"{path} holds no .txt, .md, .html or .pdf file")
            for file in files:
                yield _read_text_file(file, root=path)
        elif not path.exists():
            raise UsageError(f"There is no {path}")
        elif path.suffix.lower() in {".jsonl", ".ndjson"}:
            yield from _read_jsonl(path)
        elif path.suffix.lower() == ".csv":
            yield from _read_csv(path)
        elif path.suffix.lower() in _TEXT_SUFFIXES:
            yield _read_text_file(path, root=path.parent)
        else:
            raise UsageError(
                f"{path} is none of .jsonl, .csv, .txt, .md, .html, .pdf, and no folder"
            )


def count(paths: list[Path]) -> int:
    """About how many records there are, for a progress bar: files in folders, lines elsewhere."""
    total = 0
    for path in paths:
        if path.is_dir():
            total += sum(file.suffix.lower() in _TEXT_SUFFIXES for file in path.rglob("*"))
        elif path.suffix.lower() in {".jsonl", ".ndjson", ".csv"} and path.exists():
            with path.open("rb") as file:
                total += sum(1 for _ in file)
        else:
            total += 1
    return total


def _read_jsonl(path: Path) -> Iterator[Record]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield Record(f"{path.name}, line {number}", _parse_line(line))


def _parse_line(line: bytes) -> Document | Rejected:
    try:
        return validate_document(json.loads(line.decode("utf-8")))
    except UnicodeDecodeError as error:
        return Rejected("not_utf8", f"byte {error.start} is not UTF-8")
    except (ValueError, RecursionError) as error:
        return Rejected("not_json", f"not JSON: {error}")
    except Rejected as rejected:
        return rejected


def _read_csv(path: Path) -> Iterator[Record]:
    """Columns are fields of the message; empty cells are absent; `version` is a number."""
    try:
        chunks = pd.read_csv(
            path, dtype=str, keep_default_na=False, encoding="utf-8", chunksize=1_000
        )
        row_number = 0
        for chunk in chunks:
            for row in chunk.to_dict("records"):
                row_number += 1
                fields = {str(column): str(cell) for column, cell in row.items()}
                yield Record(f"{path.name}, row {row_number}", _parse_row(fields))
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not a CSV in UTF-8: {error}") from None


def _parse_row(row: dict[str, str]) -> Document | Rejected:
    fields: dict[str, object] = {key: value for key, value in row.items() if value != ""}
    if isinstance(version := fields.get("version"), str) and version.isdigit():
        fields["version"] = int(version)
    try:
        if isinstance(hints := fields.get("supplier_hints"), str):
            fields["supplier_hints"] = json.loads(hints)
        return validate_document(fields)
    except ValueError as error:
        return Rejected("invalid_field", f"supplier_hints is not JSON: {error}")
    except Rejected as rejected:
        return rejected


def _read_text_file(path: Path, root: Path) -> Record:
    """A file is a document: its path below the root is the id, its name or <title> the title."""
    place = str(path.relative_to(root))
    try:
        title, text = _title_and_text(path)
        fields = {
            "external_id": place,
            "source": root.name or "files",
            "title": title,
            "text": text,
        }
        return Record(place, validate_document(fields))
    except (UnicodeDecodeError, PyPdfError, OSError) as error:
        return Record(place, Rejected("invalid_text", f"cannot be read: {error}"))
    except Rejected as rejected:
        return Record(place, rejected)


def _title_and_text(path: Path) -> tuple[str, str]:
    suffix = path.suffix.lower()
    if suffix == ".pdf":
        reader = PdfReader(path)
        pages = [page.extract_text() for page in reader.pages]
        title = reader.metadata.title if reader.metadata else None
        return (title or path.stem), "\n\n".join(pages).replace("\x00", "")
    content = path.read_text(encoding="utf-8")
    if suffix in {".html", ".htm"}:
        tree = LexborHTMLParser(content)
        tree.strip_tags(["script", "style", "noscript", "template", "head > *:not(title)"])
        title_node = tree.css_first("title")
        body = tree.body
        text = body.text(separator="\n", strip=True) if body else ""
        return (title_node.text(strip=True) if title_node else path.stem), text
    first_line = content.strip().partition("\n")[0].lstrip("# ").strip()
    return (first_line[:200] or path.stem), content
