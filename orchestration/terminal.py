"""What a person sees in the terminal: tables and panels. No queries, no decisions."""

import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

out = Console()
err = Console(stderr=True)

BAND_STYLES = {
    "critical": "bold white on red",
    "high": "red",
    "medium": "yellow",
    "low": "green",
    "no signal": "dim",
}
_STATES = (
    "received",
    "scored",
    "no_supplier",
    "irrelevant",
    "duplicate",
    "superseded",
    "rejected",
    "pending",
    "dead",
    "gap",
)
_ALWAYS = ("received", "scored", "pending", "dead")
_BATCHES = 10


def plain(text: str) -> str:
    """Text of strangers without what could command the terminal or turn round the reading order."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf"})


def money(usd: float | None) -> str:
    """Dollars, or that the price is unknown."""
    return "unknown" if usd is None else f"${usd:,.2f}"


def status_tables(status: Mapping[str, Any]) -> Iterator[Table]:
    """Where the messages are, and what the calls cost: in all, and for the latest batches."""
    rows = [{"batch_id": "all"} | status["totals"], *reversed(status["batches"][-_BATCHES:])]
    yield _states_table(rows, hidden=len(status["batches"]) - _BATCHES)
    yield _calls_table(rows, status["today"])


def _states_table(rows: Sequence[Mapping[str, Any]], hidden: int) -> Table:
    """Empty states are left out."""
    states = [state for state in _STATES if state in _ALWAYS or any(row[state] for row in rows)]
    table = _batch_table("Messages received")
    for state in states:
        style = "red" if state in {"dead", "rejected", "gap"} else None
        table.add_column(state.replace("_", "\n"), justify="right", style=style, no_wrap=True)
    for row in rows:
        counts = [f"{row[state]:,}" if row[state] else "-" for state in states]
        table.add_row(_batch_name(row), *counts, end_section=row is rows[0])
    captions = []
    if rows[0]["pending"]:
        captions.append(
            f"The oldest pending message came {rows[0]['pending_age_seconds']:,} s ago."
        )
    if hidden > 0:
        captions.append(f"{hidden:,} older batches: supplier-risk status --json")
    table.caption = " ".join(captions) or None
    return table


def _calls_table(rows: Sequence[Mapping[str, Any]], today: Mapping[str, float]) -> Table:
    table = _batch_table("Calls to the LLM")
    for heading in ("calls", "tokens in", "tokens out", "cost"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        counts = [f"{row[name]:,}" for name in ("calls", "input_tokens", "output_tokens")]
        table.add_row(_batch_name(row), *counts, money(row["cost_usd"]), end_section=row is rows[0])
    under_way = f", {money(today['reserved_usd'])} reserved" if today["reserved_usd"] else ""
    table.caption = (
        "Briefs belong to a pair, not to a batch: their calls are in the first row only.\n"
        f"Today (UTC) {money(today['settled_usd'])} spent{under_way}."
    )
    return table


def _batch_table(title: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("batch", overflow="fold", min_width=12)
    return table


def _batch_name(row: Mapping[str, Any]) -> Text:
    return Text(plain(row["batch_id"] or "(no batch)"))


def risk_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The riskiest pairs, each with its reasons and its evidence."""
    table = Table(
        title="Riskiest suppliers by country (100 = highest risk)",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_lines=True,
    )
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("band", no_wrap=True)
    table.add_column("supplier @ country: top dimension, keywords, evidence", overflow="fold")
    for row in rows:
        dimension = (row["top_dimension"] or "").replace("_", " ")
        why = Text.assemble(
            (f"{row['supplier_name']} @ {row['country']}", "bold"),
            f": {dimension}, ",
            (plain(row["keywords"] or ""), "italic"),
            f"\n“{' '.join(plain(row['quote']).split())}” ",
            (plain(row["publisher"]), "dim"),
        )
        table.add_row(str(row["score"]), Text(row["band"], style=BAND_STYLES[row["band"]]), why)
    return table


def injection_table(report: Mapping[str, Any]) -> Table:
    """Attack by attack, how many findings moved; the model and what it proves below."""
    table = Table(
        title=f"Attacks in {report['documents']} documents, model {plain(report['model'])}",
        title_justify="left",
        caption=f"Interval: 95 %, Wilson. {report['proves']} {report['paid_calls']:,} paid calls, "
        f"{money(report['cost_usd'])}; {report['documents_without_an_answer']} documents without "
        "an answer even when clean.",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for heading in ("attack", "language", "wants"):
        table.add_column(heading, no_wrap=True)
    for heading in ("asked", "failed", "moved", "share", "interval", "obeyed", "leaked"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in report["attacks"]:
        counts = [str(row[name]) for name in ("asked", "failed", "moved")]
        share = "-" if row["share_moved"] is None else f"{row['share_moved']:.0%}"
        bounds = row["interval"]
        interval = "-" if bounds is None else f"{bounds[0]:.0%} to {bounds[1]:.0%}"
        last = [str(row[name]) for name in ("obeyed", "leaked")]
        table.add_row(row["attack"], row["language"], row["goal"], *counts, share, interval, *last)
    return table


def show_stack(parts: Sequence[tuple[str, str, int]], dagster: str) -> None:
    """The parts of the local stack (name, address, process id) and where to look."""
    table = Table(title="Local stack", title_justify="left")
    for heading in ("part", "address", "pid"):
        table.add_column(heading)
    for name, address, pid in parts:
        table.add_row(name, address, str(pid))
    out.print(table)
    out.print(f"Dagster UI: {dagster}", markup=False)
    if any(name == "analyst" for name, _, _ in parts):
        out.print(
            "The offline analyst answers: an open word list, a stand-in for a model. "
            "Set LLM_BASE_URL, LLM_API_KEY and LLM_MODEL to use a real one.",
            markup=False,
        )


def show_dashboards(address: str, logins: Sequence[tuple[str, str, str]], changed: bool) -> None:
    """Where Superset is and who can log in: user, password, what they see."""
    table = Table(title="Dashboards", title_justify="left")
    for heading in ("user", "password", "sees"):
        table.add_column(heading, overflow="fold")
    for login in logins:
        table.add_row(*login)
    out.print(table)
    done = "took in all of superset/" if changed else "is as it was: nothing of superset/ changed"
    out.print(f"Superset {done}.", style="dim")
    out.print(f"Dashboards: {address}/superset/dashboard/overview/", markup=False)
    out.print("`make down` stops it with the stack.", style="dim")


def call_parts(call: Mapping[str, Any]) -> Iterator[RenderableType]:
    """One call: what it was, what was sent, what came back, each attempt."""
    head = (
        f"answer {call['response_id']}  {call['step']}  outcome {call['outcome']}\n"
        f"model {call['model']}  prompt {call['prompt_version']}\n"
        f"parameters {call['parameters']}\ncache key {call['cache_key']}"
    )
    yield Panel(Text(head), title="call", title_align="left")
    if call["messages"] is None:
        yield Panel("(purged; its hash is the cache key)", title="prompt", title_align="left")
    for message in call["messages"] or ():
        text = Text(plain(message["content"]))
        yield Panel(text, title=message["role"], title_align="left")
    empty = f"(purged at {call['purged_at']:%Y-%m-%d %H:%M})" if call["purged_at"] else "(no text)"
    yield Panel(_json(call["answer"] or empty), title="answer", title_align="left")
    attempts = Table(title="attempts", title_justify="left")
    columns = (
        "attempt_id",
        "started_at",
        "outcome",
        "http_status",
        "latency_ms",
        "input_tokens",
        "output_tokens",
        "cost_usd",
        "run_id",
        "error",
    )
    for column in columns:
        attempts.add_column(column.replace("_", " "), overflow="fold")
    for attempt in call["attempts"]:
        attempts.add_row(
            *[
                Text("" if attempt[column] is None else plain(str(attempt[column])))
                for column in columns
            ]
        )
    yield attempts


def _json(answer: str) -> Syntax:
    """An answer, indented if it is JSON."""
    with suppress(ValueError):
        answer = json.dumps(json.loads(answer), indent=2, ensure_ascii=False)
    return Syntax(
        plain(answer), "json", word_wrap=True, theme="ansi_light", background_color="default"
    )
