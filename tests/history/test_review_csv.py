"""A sample in a spreadsheet and back: no formula in it, each fault by its line, all or nothing."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import UsageError
from orchestration.history.review_csv import COLUMNS, Imported, guard, import_csv, unguard
from orchestration.ingestion.message import Document, SupplierHint
from orchestration.resources.postgres import Connection
from tests.conftest import Analyst
from tests.history.answers import CALM, FIRST, SURE, ask, assessment_of, finding_of, reply
from tests.history.test_review import command, labels, words
from tests.scoring.scenario import land_documents, land_hinted

STARTS_A_FORMULA = re.compile(r"\s*[=+\-@\t\r]")
Row = dict[str, str]


@pytest.fixture
def world(connection: Connection, analyst: Analyst) -> Connection:
    land_hinted(connection, SURE, CALM)
    ask(connection, analyst.settings, "second", FIRST)
    return connection


@pytest.fixture
def exported(world: Connection, tmp_path: Path) -> Path:
    path = tmp_path / "sample.csv"
    done = command("export", str(path))
    assert done.returncode == 0, done.stderr
    assert "2 written to" in done.stdout
    return path


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def fill(path: Path, change: Callable[[Row], object], delimiter: str = ",") -> None:
    """As a person with a spreadsheet: each row is changed, and the file saved."""
    rows = read(path)
    for row in rows:
        change(row)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode("utf-8-sig"))


def say(row: Row) -> None:
    """Too low, of the finding; well seen, of the other one."""
    if row["finding_id"]:
        row.update(verdict="Disagree", corrected_level="4", note='worse; "much", so')
    else:
        row.update(verdict="agree")


cells = st.text() | st.from_regex(r"\A'{0,3}[=+\-@\t\r\n][^\x00]{0,9}\Z")


@given(cells)
def test_a_guarded_cell_is_no_formula_and_reads_as_what_it_was(cell: str) -> None:
    assert unguard(guard(cell)) == cell
    assert not re.match(r"[=+\-@\t\r\n]", guard(cell))


@given(cells.filter(lambda cell: not re.match(r"'*[=+\-@\t\r\n＝＋－＠]", cell)))
def test_a_harmless_cell_stays_as_it_is(cell: str) -> None:
    assert guard(cell) == cell


def test_a_sample_has_empty_columns_for_words_and_is_made_for_spreadsheets(exported: Path) -> None:
    content = exported.read_bytes()
    assert content.startswith(b"\xef\xbb\xbffinding_id,assessment_id,verdict,corrected_level,note,")
    assert content.count(b"\r\n") == 3
    finding, calm = read(exported)
    for row in (finding, calm):
        assert (row["verdict"], row["corrected_level"], row["note"]) == ("", "", "")
    assert (finding["quote"], finding["level"], finding["reason"]) == (SURE, "2", "random")
    assert (calm["finding_id"], calm["reason"], calm["passage"]) == ("", "no_risk", CALM)


@pytest.mark.parametrize(
    "formula",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " \n=1", "\u200b=1", "a;=1", "＝1", "'=1"],
)
def test_what_strangers_wrote_is_no_formula(
    connection: Connection, analyst: Analyst, tmp_path: Path, formula: str
) -> None:
    text = f"{formula} Acme Corp burns"
    hints = (SupplierHint(supplier="acme", country="MX"),)
    document = Document(
        text=text, title=formula, publisher=formula, url=formula, supplier_hints=hints
    )
    land_documents(connection, [document])
    ask(connection, analyst.settings, "second", {"burns": reply((text, 2))})
    path = tmp_path / "sample.csv"
    command("export", str(path))
    (row,) = read(path)
    assert "burns" in row["quote"]
    for cell in row.values():
        assert not STARTS_A_FORMULA.match(cell)
        assert not re.search(r";\s*[=+\-@]", cell)


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_what_a_person_wrote_is_read_back_once(
    world: Connection, exported: Path, delimiter: str
) -> None:
    fill(exported, say, delimiter)
    finding, assessment = finding_of(world, SURE), assessment_of(world, CALM)
    done = command("import", str(exported), "--by", "ann")
    assert done.returncode == 0, done.stderr
    assert "2 labels added, 0 known before, 0 rows without a verdict" in done.stdout
    assert labels(world) == [
        (finding, None, "disagree", 4, 'worse; "much", so', "ann"),
        (None, assessment, "agree", None, None, "ann"),
    ]
    again = command("import", str(exported), "--by", "ann")
    assert "0 labels added, 2 known before" in again.stdout
    assert len(labels(world)) == 2


def test_a_row_without_a_verdict_is_skipped(world: Connection, exported: Path) -> None:
    fill(exported, lambda row: row.update(verdict="agree") if row["finding_id"] else None)
    assert import_csv(world, exported, "ann") == Imported(added=1, known=0, skipped=1)


def test_a_guarded_note_loses_its_apostrophe(world: Connection, exported: Path) -> None:
    fill(exported, lambda row: row.update(verdict="disagree", note="'=no, -1"))
    import_csv(world, exported, "ann")
    assert {row[4] for row in labels(world)} == {"=no, -1"}


def test_each_line_at_fault_is_named_and_nothing_is_added(
    world: Connection, exported: Path
) -> None:
    finding = str(finding_of(world, SURE))
    faults = [
        ("", "agree", "", "ok", None),
        ("999", "agree", "", "", "There is no finding 999"),
        (finding, "agree", "", "a note\nof two lines", "stands in line 2, too"),
        ("1e3", "agree", "", "", "finding_id '1e3' is no number"),
        ("", "agree", "", "", "Say which"),
        (finding, "maybe", "", "", "The verdict 'maybe' is none"),
        (finding, "", "3", "", "The verdict '' is none"),
        (finding, "", "", "looks wrong", "The verdict '' is none"),
        ("998", "disagree", "6", "", "There is no level 6"),
        ("997", "disagree", "high", "", "corrected_level 'high' is no number"),
        ("996", "agree", "1", "", "Who gives another level disagrees"),
        ("995", "agree", "", "x" * 2_001, "2,000 are the most"),
    ]
    lines = ["finding_id,assessment_id,verdict,corrected_level,note", f"{finding},,agree,,"]
    lines += [f'{known},,{verdict},{level},"{note}"' for known, verdict, level, note, _ in faults]
    lines[2] = lines[2].replace(",,agree", f",{assessment_of(world, CALM)},agree")
    exported.write_text("\n".join(lines))
    with pytest.raises(UsageError) as caught:
        import_csv(world, exported, "ann")
    first, *named = str(caught.value).splitlines()
    assert "nothing of it was added" in first
    numbers = [4, 5, 7, 8, 9, 10, 11, 12, 13, 14]
    expected = [says for *_, says in faults if says]
    assert len(named) == 11
    for line, number, says in zip(named, numbers, expected, strict=False):
        assert line.startswith(f"line {number}: ")
        assert says in line
    assert named[-1] == "and 1 more"
    assert labels(world) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "lacks the columns finding_id"),
        (b"finding_id,verdict\n1,agree\n", "lacks the columns assessment_id"),
        (b"finding_id,assessment_id,verdict,corrected_level,note\n1,,\xff,,\n", "not UTF-8"),
        (b'finding_id,assessment_id,verdict,corrected_level,note\n1,,agree,,"open', "line 2"),
    ],
)
def test_a_file_that_is_no_such_csv_is_refused(
    world: Connection, tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes(content)
    done = command("import", str(path))
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in words(done.stderr)
    assert labels(world) == []


def test_a_file_that_is_not_there_or_is_there_already_is_wrong_use(
    exported: Path, tmp_path: Path
) -> None:
    exported.write_text("somebody's words")
    for arguments in (
        ["import", str(tmp_path / "none.csv")],
        ["export", str(tmp_path / "none" / "x.csv")],
        ["export", str(exported)],
    ):
        done = command(*arguments)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
    assert exported.read_text() == "somebody's words"
    assert command("export", str(exported), "--force").returncode == 0
    assert len(read(exported)) == 2
