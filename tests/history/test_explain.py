"""`supplier-risk explain`: from the score to the quote, the call and its cost."""

from pathlib import Path

import pytest

from orchestration.history.explain import explain
from orchestration.ingestion.message import Document
from orchestration.resources.postgres import Connection
from tests.conftest import Analyst
from tests.scoring.scenario import RECALL, land_documents, land_texts, run
from tests.test_cli import supplier_risk
from tests.transformation.building import build, today

HOSTILE = "<script>alert(1)</script> \x1b[31m\u202e" + RECALL + "</mark><b>bold</b>"


def scored(connection: Connection, analyst: Analyst, *documents: Document) -> None:
    land_documents(connection, documents)
    run(connection, analyst.settings)
    build(str(today()))


def page_of(folder: Path) -> str:
    file = folder / "acme.html"
    done = supplier_risk("explain", "acme", "MX", "--html", str(file))
    assert done.returncode == 0, done.stderr
    assert f"written to {file}" in done.stdout
    return file.read_text()


def test_the_tree_leads_from_the_score_to_quote_document_prompt_call_cost_and_run(
    connection: Connection, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored(connection, analyst, Document(text=RECALL, title="News", url="https://example.com/a"))
    monkeypatch.setenv("COLUMNS", "100")
    done = supplier_risk("explain", "acme", "MX")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100
    words = " ".join(done.stdout.replace("│", " ").split())
    (evidence,) = connection.execute("select * from marts.risk_evidence").fetchall()
    (score,) = connection.execute(
        "select score, band from marts.supplier_risk_current where dimension = 'overall'"
    ).fetchall()
    for part in (
        f"Acme Corp (acme) @ MX: {score['score']} {score['band']}",
        f"“{evidence['quote']}”",
        f"document {evidence['document_id']}, characters {evidence['quote_start']} to",
        f"finding {evidence['finding_id']}: level {evidence['level']}",
        f"prompt {evidence['prompt_version']}, model offline-analyst-1, generation 1, run run-1",
        f"supplier-risk call {evidence['response_id']}; calls 1, cost $0.000000",
        "https://example.com/a",
    ):
        assert part in words


def test_the_page_marks_the_quote_and_runs_nothing_that_a_document_holds(
    connection: Connection, analyst: Analyst, tmp_path: Path
) -> None:
    news = Document(text=HOSTILE, title="<img src=x>", url="javascript:alert(1)")
    scored(connection, analyst, news)
    page = page_of(tmp_path)
    quote = connection.execute("select quote from marts.risk_evidence").fetchall()[0]["quote"]
    assert "Acme Corp recalls 500 valves" in quote
    before, _, rest = page.partition("<mark>")
    marked, _, after = rest.partition("</mark>")
    assert "Acme Corp recalls 500 valves" in marked
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;img src=x&gt;" in before
    assert page.count("<mark>") == page.count("</mark>") == 1
    assert not any(tag in page for tag in ("<script", "<img", "<b>", "href=", "\x1b", "\u202e"))
    assert "run-1" in before
    assert "</html>" in after


def test_a_link_of_the_page_tells_the_other_side_nothing(
    connection: Connection, analyst: Analyst, tmp_path: Path
) -> None:
    scored(connection, analyst, Document(text=RECALL, url='https://example.com/?a="><i>'))
    page = page_of(tmp_path)
    assert 'rel="noopener noreferrer nofollow"' in page
    assert "<i>" not in page


def test_what_was_purged_is_said_and_lists_are_cut(
    connection: Connection, analyst: Analyst, tmp_path: Path
) -> None:
    fire = "A fire destroyed a plant of Acme Corp in Mexico."
    scored(connection, analyst, Document(text=RECALL), Document(text=fire))
    connection.execute("update llm.requests set messages = null")
    connection.execute(
        "update llm.responses set answer = null, raw_body = null, purged_at = now(),"
        " raw_sha256 = sha256(raw_body)"
    )
    shown = supplier_risk("explain", "acme", "--limit", "1").stdout
    assert "(text purged)" in shown
    assert f"purged {today()}" in shown
    assert "1 more events that add less" in shown
    page = page_of(tmp_path)
    assert "its text was purged" in page
    assert f"purged on {today()}" in page


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nobody"], "There is no supplier 'nobody'"),
        (["beta"], "no document mentions beta"),
        (["acme", "FR"], "acme has no news of a country 'FR'; there is MX"),
        (["acme", "--limit", "0"], "--limit"),
        (["acme", "--html", "/nowhere/page.html"], "There is no folder /nowhere"),
    ],
)
def test_what_cannot_be_explained_is_a_sentence_and_exit_code_2(
    built: None, arguments: list[str], says: str
) -> None:
    done = supplier_risk("explain", *arguments)
    assert done.returncode == 2, done.stdout
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.fixture
def built(connection: Connection, analyst: Analyst) -> None:
    scored(connection, analyst, Document(text=RECALL))


def test_without_marts_or_without_a_score_the_next_step_is_named(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, RECALL)
    done = supplier_risk("explain", "acme")
    assert done.returncode == 2
    assert "The marts are not built yet" in done.stderr
    build(str(today()))
    assert "There is nothing to explain" in supplier_risk("explain", "acme").stderr


def test_of_many_findings_on_an_event_some_are_shown_and_the_others_counted(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst, *(Document(text=f"{RECALL} Again {n}.") for n in range(8)))
    found = explain(connection, "acme", "MX")
    (pair,) = found.pairs
    (event,) = pair.events
    assert len(event.evidence) == 3
    assert event.more_evidence == 5
