"""Reads documents from files: JSONL, CSV, or folders of .txt, .md, .html and .pdf files.

Every record becomes a document or a refusal that names file, line and reason.
"""

import csv
import io
import itertools
import json
import re
import sys
from collections.abc import Iterable, Iterator
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
_ROWS_AT_ONCE = 1_000
_NOT_UTF8 = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class Record:
    """One document of a file, or why it is none. `place` is such as `news.jsonl, line 3`."""

    place: str
    content: Document | Rejected


@dataclass(frozen=True)
class _Row:
    """A row of a CSV as it stands there, the line that it begins on, and how many cells it has.

    `broken` says where the row breaks the form of a CSV.
    """

    line: int
    text: str
    cells: int
    broken: str | None


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
        elif path.suffix.lower() in _CSV:
            _require_header(path)


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

    pandas reads the cells of sound rows. It drops some of the others without a word and tells no
    line, so the file is cut into rows before.
    """
    rows = _csv_rows(path)
    header = next(rows)
    while block := list(itertools.islice(rows, _ROWS_AT_ONCE)):
        faults = [_fault(row, header) for row in block]
        sound = [row for row, fault in zip(block, faults, strict=True) if fault is None]
        cells = iter(_cells(header, sound))
        for row, fault in zip(block, faults, strict=True):
            yield Record(f"{path.name}, line {row.line}", fault or _parse_row(next(cells)))


def _require_header(path: Path) -> None:
    header = next(_csv_rows(path), None)
    fault = _fault(header, header) if header else Rejected("invalid_field", "it is empty")
    if fault:
        raise UsageError(f"{path} has no header that can be used: {fault.detail}")


def _csv_rows(path: Path) -> Iterator[_Row]:
    """The rows with their lines; bytes that are not UTF-8 become lone surrogates."""
    csv.field_size_limit(sys.maxsize)  # how long a document may be is not said here
    taken: list[str] = []
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = csv.reader(_remembered(file, taken), strict=True)
        line, cells, broken = 1, 0, None
        while True:
            try:
                cells, broken = len(next(rows)), None
            except StopIteration:
                return
            except csv.Error as error:
                broken = str(error)
            text = "".join(taken).rstrip("\r\n")
            if text and not text.isspace():
                yield _Row(line, text, cells, broken)
            line += len(taken)
            taken.clear()


def _remembered(lines: Iterable[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line


def _fault(row: _Row, header: _Row) -> Rejected | None:
    if row.broken:
        return Rejected("invalid_field", f"not a row of a CSV: {row.broken}")
    if _NOT_UTF8.search(row.text):
        return Rejected("not_utf8", "holds a byte that is not UTF-8")
    if "\x00" in row.text:
        return Rejected("invalid_text", "holds the character U+0000, which cannot be stored")
    if row.cells > header.cells:
        return Rejected("invalid_field", f"has {row.cells} cells, the header {header.cells}")
    return None


def _cells(header: _Row, rows: list[_Row]) -> list[dict[str, str]]:
    text = "\n".join(row.text for row in (header, *rows))
    frame = pd.read_csv(
        io.StringIO(text), dtype=str, na_filter=False, index_col=False, skip_blank_lines=False
    )
    return [{str(k): str(v) for k, v in row.items()} for row in frame.to_dict("records")]


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
