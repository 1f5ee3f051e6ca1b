"""Reads documents from files: JSONL, CSV, or folders of .txt, .md, .html and .pdf files.

Every record becomes a document or a refusal that names file, line and reason.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pypdf import PdfReader
from selectolax.lexbor import LexborHTMLParser

from orchestration.errors import UsageError
from orchestration.ingestion.message import Document, Rejected, validate_document

_LINES = {".jsonl", ".ndjson"}
_CSV = {".csv"}
_TEXT = {".txt", ".md", ".html", ".htm", ".pdf"}
_SURPLUS = "cells beyond the header"


@dataclass(frozen=True)
class Record:
    """One document of a file, or why it is none. `place` is such as `news.jsonl, line 3`."""

    place: str
    content: Document | Rejected


def check(paths: list[Path]) -> None:
    """Raises UsageError on the first path that `read` could not use."""
    for path in paths:
        if path.is_dir():
            if not _text_files(path):
                raise UsageError(f"{path} holds no .txt, .md, .html or .pdf file")
        elif not path.exists():
            raise UsageError(f"There is no {path}")
        elif path.suffix.lower() not in _LINES | _CSV | _TEXT:
            raise UsageError(
                f"{path} is none of .jsonl, .csv, .txt, .md, .html, .pdf, and no folder"
            )


def read(paths: list[Path]) -> Iterator[Record]:
    """All records below the paths, in the order given. Raises UsageError before the first one."""
    check(paths)
    for path in paths:
        if path.is_dir():
            for file in _text_files(path):
                yield _read_text_file(file, root=path)
        elif path.suffix.lower() in _LINES:
            yield from _read_jsonl(path)
        elif path.suffix.lower() in _CSV:
            yield from _read_csv(path)
        else:
            yield _read_text_file(path, root=path.parent)


def count(paths: list[Path]) -> int:
    """About how many records there are, for a progress bar: files in folders, lines elsewhere."""
    total = 0
    for path in paths:
        if path.is_dir():
            total += len(_text_files(path))
        elif path.suffix.lower() in _LINES | _CSV and path.exists():
            with path.open("rb") as file:
                total += sum(1 for _ in file)
        else:
            total += 1
    return total


def _text_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in _TEXT)


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
    """Columns are fields of the message; empty cells are absent; `version` is a number.

    A line that breaks the file's form is refused like any other; the lines after it are read.
    """
    line = 2
    try:
        for chunk in _csv_chunks(path):
            for row in chunk.to_dict("records"):
                cells = {str(column): cell for column, cell in row.items() if isinstance(cell, str)}
                if cells:
                    yield Record(f"{path.name}, line {line}", _parse_row(cells))
                line += 1 + sum(cell.count("\n") for cell in cells.values())
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        detail = f"not CSV from here on: {error}"
        yield Record(f"{path.name}, line {line}", Rejected("invalid_field", detail))


def _csv_chunks(path: Path) -> Iterator[pd.DataFrame]:
    """Cells are text, missing ones NaN; a column of ours takes what is longer than the header.

    Bytes that are not UTF-8 become lone surrogates, which the message contract refuses.
    """
    columns = pd.read_csv(path, nrows=0, encoding_errors="surrogateescape").columns
    return pd.read_csv(
        path,
        header=None,
        names=[*columns, _SURPLUS],
        skiprows=1,
        index_col=False,
        dtype=str,
        keep_default_na=False,
        skip_blank_lines=False,
        encoding_errors="surrogateescape",
        engine="python",
        on_bad_lines=lambda cells: cells[: len(columns) + 1],
        chunksize=1_000,
    )


def _parse_row(row: dict[str, str]) -> Document | Rejected:
    if _SURPLUS in row:
        return Rejected("invalid_field", "the line has more cells than the header")
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
    except Rejected as rejected:
        return Record(place, rejected)
    except Exception as error:  # pypdf raises what it likes: one file must not end the folder
        return Record(place, Rejected("invalid_text", f"cannot be read: {error!r}"))


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
