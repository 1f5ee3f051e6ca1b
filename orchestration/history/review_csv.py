"""A sample as a spreadsheet: written with empty columns for a person's words, and read back.

What strangers wrote cannot be a formula in it. With a fault in any line, nothing of it is taken.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from orchestration.errors import UsageError
from orchestration.history.review import Label, add, check
from orchestration.history.sampling import Sample
from orchestration.resources.postgres import Connection
from orchestration.scoring.visible import visible

_IDS = ("finding_id", "assessment_id")
_WORDS = ("verdict", "corrected_level", "note")
COLUMNS = (
    *_IDS,
    *_WORDS,
    *(field.name for field in fields(Sample) if field.name not in _IDS),
)
_SHOWN_FAULTS = 10
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")  # noqa: RUF001
_GUARDED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")  # noqa: RUF001


@dataclass(frozen=True)
class Imported:
    """How many rows were added, said what was said before, or had no verdict."""

    added: int
    known: int
    skipped: int


@dataclass(frozen=True)
class _Row:
    line: int
    cells: Mapping[str, str]


def guard(cell: str) -> str:
    """The cell such that no spreadsheet takes it for a formula: with an apostrophe before it."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguard(cell: str) -> str:
    """What `guard` was given."""
    return cell[1:] if _GUARDED.match(cell) else cell


def export_csv(path: Path, samples: Sequence[Sample], force: bool = False) -> None:
    """Write the samples as one line each. Raises UsageError where the file cannot be written, or
    exists and `force` is not given."""
    try:
        with path.open("w" if force else "x", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="")
            writer.writeheader()
            writer.writerows(_cells(sample) for sample in samples)
    except FileExistsError:
        raise UsageError(
            f"{path} exists, maybe with somebody's words in it: name another file, or --force."
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None


def import_csv(connection: Connection, path: Path, made_by: str) -> Imported:
    """Add what a person wrote, all of it in one transaction. Raises UsageError that names the lines
    at fault, and then adds nothing."""
    rows = list(_rows(path))
    said, faults = [], []
    lines: dict[str, int] = {}
    for row in rows:
        try:
            if label := _label(row.cells):
                if (first := lines.setdefault(label.subject, row.line)) != row.line:
                    raise UsageError(f"The {label.subject} stands in line {first}, too.")
                check(connection, label)
                said.append(label)
        except UsageError as error:
            faults.append(f"line {row.line}: {error}")
    if faults:
        raise UsageError(_explain(path, faults))
    with connection.transaction():
        added = sum(add(connection, label, made_by) for label in said)
    return Imported(added, len(said) - added, len(rows) - len(said))


def _cells(sample: Sample) -> dict[str, str]:
    """Each on one line; without semicolons, at which spreadsheets of some countries begin another
    cell even within quotation marks that they do not see."""
    cells = {name: "" if value is None else str(value) for name, value in asdict(sample).items()}
    return {
        name: guard(" ".join(visible(cell).split()).replace(";", ","))
        for name, cell in cells.items()
    }


def _rows(path: Path) -> Iterator[_Row]:
    """The rows under the header, each with the line it begins in; empty ones are left out."""
    text = _text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    line = 1
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if missing := [name for name in (*_IDS, *_WORDS) if name not in header]:
            raise UsageError(
                f"{path} lacks the columns {', '.join(missing)}: keep the header that "
                "`supplier-risk review export` wrote."
            )
        line = reader.line_num + 1
        for cells in reader:
            if any(cells):
                yield _Row(line, dict(zip(header, cells, strict=False)))
            line = reader.line_num + 1
    except csv.Error as error:
        raise UsageError(f"{path}, line {line}: not a row of a CSV: {error}.") from None


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8: save it as CSV UTF-8.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None


def _delimiter(text: str) -> str:
    """A comma, or the semicolon that spreadsheets of some countries write: as in the header."""
    header = text.splitlines()[0] if text else ""
    return ";" if header.count(";") > header.count(",") else ","


def _label(cells: Mapping[str, str]) -> Label | None:
    """What a row says; None without a verdict. Raises UsageError for what cannot be read."""
    words = {name: unguard(cells.get(name, "")).strip() for name in (*_IDS, *_WORDS)}
    verdict = words["verdict"].lower()
    if not verdict and not words["corrected_level"] and not words["note"]:
        return None
    return Label(
        verdict=_verdict(verdict),
        finding_id=_number("finding_id", words["finding_id"]),
        assessment_id=_number("assessment_id", words["assessment_id"]),
        corrected_level=_number("corrected_level", words["corrected_level"]),
        note=words["note"] or None,
    )


def _verdict(word: str) -> Literal["agree", "disagree"]:
    if word == "agree":
        return "agree"
    if word == "disagree":
        return "disagree"
    raise UsageError(
        f"The verdict {word[:20]!r} is none: write agree or disagree, or leave all empty."
    )


def _number(column: str, word: str) -> int | None:
    if not word:
        return None
    with suppress(ValueError):
        return int(word)
    raise UsageError(f"{column} {word[:20]!r} is no number.")


def _explain(path: Path, faults: Sequence[str]) -> str:
    more = len(faults) - _SHOWN_FAULTS
    return "\n".join(
        [
            f"{path} cannot be used, and nothing of it was added:",
            *faults[:_SHOWN_FAULTS],
            *([f"and {more:,} more"] if more > 0 else []),
        ]
    )
