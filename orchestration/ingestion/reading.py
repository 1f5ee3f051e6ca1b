"""Reads documents from files: JSONL, CSV, or folders of .txt, .md, .html and .pdf files.

Every record becomes a document or a refusal that names file, line and reason.
"""

import io
import itertools
import json
import re
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
_ROWS_AT_ONCE = 1_000
_CLOSING_QUOTE = re.compile(r'[^"]*+(?:""[^"]*+)*+"')  # a doubled one is a character
_NOT_UTF8 = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class Record:
    """One document of a file, or why it is none. `place` is such as `news.jsonl, line 3`."""

    place: str
    content: Document | Rejected


@dataclass(frozen=True)
class _Row:
    """A row of a CSV as it stands there, the line that it begins on, and how many cells it has."""

    line: int
    text: str
    cells: int
    is_open: bool


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
    """The rows with their lines, by the rules of pandas; bytes not in UTF-8 become surrogates."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        lines: list[str] = []
        first, cells, is_open = 1, 1, False
        for number, line in enumerate(file, start=1):
            if not lines:
                first, cells = number, 1
            lines.append(line)
            commas, is_open = _scan(line, is_open)
            cells += commas
            if not is_open:
                if not "".join(lines).isspace():
                    yield _Row(first, "".join(lines), cells, is_open)
                lines = []
        if lines:
            yield _Row(first, "".join(lines), cells, is_open)


def _scan(line: str, is_open: bool) -> tuple[int, bool]:
    """Commas that end a cell, and whether a quote is open at the end of the line.

    A quote opens at the start of a cell only; anywhere else it is a character.
    """
    commas = position = 0
    if not is_open and line.startswith('"'):
        is_open, position = True, 1
    while True:
        if is_open:
            closing = _CLOSING_QUOTE.match(line, position)
            if closing is None:
                return commas, True
            position = closing.end()
        comma = line.find(",", position)
        if comma < 0:
            return commas, False
        commas += 1
        is_open = line.startswith('"', comma + 1)
        position = comma + 1 + is_open


def _fault(row: _Row, header: _Row) -> Rejected | None:
    if row.is_open:
        return Rejected("invalid_field", "a quote opens in this row and is closed nowhere below")
    if _NOT_UTF8.search(row.text):
        return Rejected("not_utf8", "holds a byte that is not UTF-8")
    if "\x00" in row.text:
        return Rejected("invalid_text", "holds the character U+0000, which cannot be stored")
    if row.cells > header.cells:
        return Rejected("invalid_field", f"has {row.cells} cells, the header {header.cells}")
    return None


def _cells(header: _Row, rows: list[_Row]) -> list[dict[str, str]]:
    text = "\n".join(row.text.rstrip("\r\n") for row in (header, *rows))
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
