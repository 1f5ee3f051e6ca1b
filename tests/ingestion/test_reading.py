"""Documents from files, with the place and reason of what is none."""

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from orchestration.errors import UsageError
from orchestration.ingestion.message import Document, Rejected
from orchestration.ingestion.reading import Record, check, count, read


def refused(records: list[Record]) -> list[tuple[str, str]]:
    return [(r.place, r.content.reason) for r in records if isinstance(r.content, Rejected)]


def documents(records: list[Record]) -> list[Document]:
    return [r.content for r in records if isinstance(r.content, Document)]


def write_pdf(path: Path, text: str) -> None:
    writer = PdfWriter()
    page = writer.add_blank_page(300, 300)
    font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    fonts = DictionaryObject({NameObject(k): NameObject(v) for k, v in font.items()})
    resources = DictionaryObject({NameObject("/F1"): fonts})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): resources})
    stream = DecodedStreamObject()
    stream.set_data(f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode())
    page[NameObject("/Contents")] = stream
    writer.write(path)


def test_jsonl_gives_documents_and_names_the_line_of_each_refusal(tmp_path: Path) -> None:
    path = tmp_path / "news.jsonl"
    path.write_bytes(
        b'{"text": "fire", "labels": {"x": 1}}\n\nnot json\n[1]\n{"text": 3}\n\xff\n{"text": "x"}'
    )
    records = list(read([path]))
    assert [document.text for document in documents(records)] == ["fire", "x"]
    assert refused(records) == [
        ("news.jsonl, line 3", "not_json"),
        ("news.jsonl, line 4", "not_an_object"),
        ("news.jsonl, line 5", "invalid_field"),
        ("news.jsonl, line 6", "not_utf8"),
    ]
    assert count([path]) == 7


def test_csv_columns_are_fields_and_empty_cells_are_absent(tmp_path: Path) -> None:
    path = tmp_path / "news.csv"
    path.write_text(
        "external_id,text,version,published_at,supplier_hints\n"
        '007,"fire, big\nsecond line",2,2026-01-02,'
        '"[{""supplier"": ""siemens"", ""country"": ""DE""}]"\n'
        "008,,,,\n"
        "009,NA,x,,\n"
        "010,NA,,,{\n"
    )
    records = list(read([path]))
    (first,) = documents(records)
    assert (first.external_id, first.version, first.text) == ("007", 2, "fire, big\nsecond line")
    assert first.supplier_hints[0].country == "DE"
    assert refused(records) == [
        ("news.csv, line 4", "invalid_field"),
        ("news.csv, line 5", "invalid_field"),
        ("news.csv, line 6", "invalid_field"),
    ]


def test_a_csv_line_that_breaks_the_form_is_refused_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "news.csv"
    path.write_bytes(
        b"external_id,text\n1,one,surplus\n2,two\n3,three,a,b,c\n\n4,caf\xe9\n5,five\n6\n7,seven,\n"
    )
    records = list(read([path]))
    assert [document.text for document in documents(records)] == ["two", "five"]
    assert refused(records) == [
        ("news.csv, line 2", "invalid_field"),
        ("news.csv, line 4", "invalid_field"),
        ("news.csv, line 6", "not_utf8"),
        ("news.csv, line 8", "invalid_field"),
        ("news.csv, line 9", "invalid_field"),
    ]


def test_a_csv_without_rows_gives_no_document(tmp_path: Path) -> None:
    path = tmp_path / "news.csv"
    path.write_text("external_id,text\n")
    assert list(read([path])) == []


@pytest.mark.parametrize("content", [b"", b"\n", b"id,t\xe9xt\n1,x\n", b'"id,text\n1,x\n'])
def test_a_csv_without_a_usable_header_is_wrong_use(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "news.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"news\.csv has no header"):
        check([path])


@pytest.mark.parametrize(
    ("content", "places"),
    [
        (b'id,text\n1,one\n2,"two\n3,three\n', ["line 2", "line 3 refused"]),
        (b'id,text\n1,"one" more\n2,two\n', ["line 2 refused", "line 3"]),
        (b"id,text\n1," + b"x" * 200_000 + b"\n2,two\n", ["line 2", "line 3"]),
        (b"\n\nid,text\n1,one\n", ["line 4"]),
        (b'"the\nid",text\n1,one\n', ["line 3"]),
        (b"\xef\xbb\xbftext,id\n\r\n \none,1\n", ["line 4"]),
        (b'id,text\r\n1,"a\r\n""b"""\r\n2,5" pipe\r\n', ["line 2", "line 4"]),
        (b"id,text\n1,a\x00b\n2,two\n", ["line 2 refused", "line 3"]),
    ],
)
def test_no_row_of_a_csv_is_lost_or_put_on_another_line(
    tmp_path: Path, content: bytes, places: list[str]
) -> None:
    path = tmp_path / "news.csv"
    path.write_bytes(content)
    found = [
        record.place.removeprefix("news.csv, ")
        + (" refused" if isinstance(record.content, Rejected) else "")
        for record in read([path])
    ]
    assert found == places


@given(st.lists(st.text('a",\n é', min_size=1), min_size=1), st.sampled_from(["\n", "\r\n"]))
def test_each_text_that_was_written_to_a_csv_is_read_with_its_line(
    texts: list[str], ending: str
) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator=ending)
    writer.writerow(["external_id", "text"])
    expected = []
    for text in texts:
        lines_before = written.getvalue().count("\n")
        expected.append((f"news.csv, line {lines_before + 1}", text if text.strip() else None))
        writer.writerow(["x", text])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "news.csv"
        path.write_bytes(written.getvalue().encode())
        found = list(read([path]))
    assert [
        (record.place, record.content.text if isinstance(record.content, Document) else None)
        for record in found
    ] == expected


def test_a_pdf_in_an_unknown_encoding_is_refused_and_the_folder_goes_on(tmp_path: Path) -> None:
    write_pdf(tmp_path / "a.pdf", "Quake hits plant")
    whole = (tmp_path / "a.pdf").read_bytes()
    (tmp_path / "b.pdf").write_bytes(whole.replace(b"/Length", b"/Filter /No /Length"))
    (tmp_path / "c.txt").write_text("A fire.")
    records = list(read([tmp_path]))
    assert [document.external_id for document in documents(records)] == ["a.pdf", "c.txt"]
    assert refused(records) == [("b.pdf", "invalid_text")]


def test_a_folder_gives_a_document_for_each_text_file(tmp_path: Path) -> None:
    folder = tmp_path / "press"
    (folder / "2026").mkdir(parents=True)
    (folder / "a.txt").write_text("A fire.\nIt burnt.")
    (folder / "b.md").write_text("# Flood\n\nWater.")
    (folder / "2026" / "c.html").write_text(
        "<html><head><title>Strike</title><script>bad()</script></head>"
        "<body><h1>Strike</h1><p>Workers <b>walk</b> out.</p></body></html>"
    )
    write_pdf(folder / "d.pdf", "Quake hits plant")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (folder / "latin.txt").write_bytes(b"\xe9\xff")
    (folder / "picture.png").write_bytes(b"x")
    records = list(read([folder]))
    found = {document.external_id: document for document in documents(records)}
    assert set(found) == {"2026/c.html", "a.txt", "b.md", "d.pdf"}
    assert found["a.txt"].title == "A fire."
    assert found["b.md"].title == "Flood"
    assert found["2026/c.html"].title == "Strike"
    assert "bad()" not in found["2026/c.html"].text
    assert "Quake hits plant" in found["d.pdf"].text
    assert found["d.pdf"].source == "press"
    assert refused(records) == [("broken.pdf", "invalid_text"), ("latin.txt", "invalid_text")]


@pytest.mark.parametrize("name", ["missing.jsonl", "news.xlsx", "empty"])
def test_a_path_that_cannot_be_read_is_wrong_use(tmp_path: Path, name: str) -> None:
    (tmp_path / "news.xlsx").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "good.txt").write_text("never reached")
    with pytest.raises(UsageError, match=name):
        next(read([tmp_path / "good.txt", tmp_path / name]))
