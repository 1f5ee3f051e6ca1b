"""`explain`: from a score to the quotes, the calls and the money behind it, as a tree or a page."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text
from rich.tree import Tree

from orchestration.errors import UsageError
from orchestration.settings import PostgresSettings
from orchestration.terminal import BAND_STYLES, out, plain

if TYPE_CHECKING:
    from orchestration.history.explain import Event, Explanation, Pair, Row

_SHOWN_QUOTE = 300
_ON_A_PAGE = 10  # so many times more than in the terminal


def explain(
    supplier: Annotated[str, typer.Argument(help="Id in the supplier master, such as siemens.")],
    country: Annotated[str | None, typer.Argument(help="ISO code; default: the worst.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Events of each country, worst first.")] = 5,
    html: Annotated[
        Path | None, typer.Option(help="Write one page, with the documents, to this file instead.")
    ] = None,
) -> None:
    """Why a supplier has its score: events, quotes, documents, prompts, answers and their cost."""
    from orchestration.history.explain import Limits, texts
    from orchestration.history.explain import explain as find
    from orchestration.history.explain_page import page
    from orchestration.resources.postgres import connect

    if html and not html.parent.is_dir():
        raise UsageError(f"There is no folder {html.parent}: make it first.")
    limits = Limits(events=limit * (_ON_A_PAGE if html else 1))
    with connect(PostgresSettings.load(), "supplier-risk explain") as connection:
        found = find(connection, supplier, country, limits)
        written = page(found, texts(connection, found)) if html else None
    if html is None or written is None:
        _show(found)
        return
    html.write_text(written, encoding="utf-8")
    out.print(f"written to {html}", markup=False)


def _show(found: "Explanation") -> None:
    for pair in found.pairs:
        out.print(_tree(found, pair))
    if found.more_countries:
        out.print(
            f"{len(found.more_countries):,} more countries: {', '.join(found.more_countries)}",
            markup=False,
        )


def _tree(found: "Explanation", pair: "Pair") -> Tree:
    name = f"{found.supplier_name} ({found.supplier_id}) @ {pair.overall['country']}: "
    tree = Tree(Text.assemble((plain(name), "bold"), _score(pair.overall)), guide_style="dim")
    tree.add(
        f"worst dimension {_words(pair.overall['top_dimension'] or 'none')}, confidence "
        f"{pair.overall['confidence']}, as of {pair.overall['as_of_date']}"
    )
    if pair.brief:
        tree.add(_brief(pair.brief))
    for row in pair.dimensions:
        events = pair.of(row["dimension"])
        heading = Text.assemble((f"{_words(row['dimension'])}: ", "bold"), _score(row))
        heading.append(f", events {row['events']:,}")
        branch = tree.add(heading)
        for event in events:
            _add_event(branch, event)
    if pair.more_events:
        tree.add(f"{pair.more_events:,} more events that add less (--limit)")
    if pair.uncounted:
        tree.add(
            f"{pair.uncounted:,} findings do not count: level 0, not verified, or too long ago"
        )
    return tree


def _score(row: "Row") -> Text:
    if row["score"] is None:
        return Text(row["band"], style=BAND_STYLES[row["band"]])
    trend = f", {row['trend']:+} in 7 days" if row["trend"] else ""
    return Text.assemble(f"{row['score']} ", (row["band"], BAND_STYLES[row["band"]]), trend)


def _brief(row: "Row") -> Text:
    outdated = "" if row["is_current"] else ", outdated"
    return Text.assemble(
        (plain(row["brief"]), "italic"),
        (
            f"\nbrief of {row['written_on']}{outdated}; supplier-risk call {row['response_id']}",
            "dim",
        ),
    )


def _add_event(branch: Tree, event: "Event") -> None:
    row = event.row
    days = f"{row['first_seen_on']}"
    if row["last_seen_on"] != row["first_seen_on"]:
        days += f" to {row['last_seen_on']}"
    events = branch.add(
        Text.assemble(
            (_words(row["event_type"]), "bold"),
            f", {days}: adds {row['contribution']} = weight {row['weight']} x severity "
            f"{row['severity']}; documents {row['documents']:,}, publishers {row['publishers']:,}",
        )
    )
    for proof in event.evidence:
        events.add(Text("\n").join(_proof(proof)))
    if event.more_evidence:
        events.add(f"{event.more_evidence:,} more findings on it")


def _proof(proof: "Row") -> Iterator[Text]:
    quote = " ".join(plain(proof["quote"]).split())
    yield Text(f"“{quote[:_SHOWN_QUOTE]}{'…' if len(quote) > _SHOWN_QUOTE else ''}”")
    day = f", {proof['published_at']:%Y-%m-%d}" if proof["published_at"] else ""
    yield Text(" ".join(plain(f"{proof['title']}, {proof['publisher']}{day}").split()), "dim")
    if proof["url"]:
        yield Text(plain(proof["url"]), "dim")
    yield Text(
        f"document {proof['document_id']}, characters {proof['quote_start']} to "
        f"{proof['quote_end']}",
        "dim",
    )
    purged = " (text purged)" if proof["is_prompt_purged"] else ""
    yield Text(
        f"finding {proof['finding_id']}: level {proof['level']}, {proof['status']}; prompt "
        f"{proof['prompt_version']}{purged}, model {plain(proof['model'])}, generation "
        f"{proof['generation_id']}, run {plain(proof['run_id'])}",
        "dim",
    )
    yield Text(_answer(proof), "dim")


def _answer(proof: "Row") -> str:
    first, *others = proof["response_ids"]
    parts = f" and {len(others):,} of other parts" if others else ""
    purged = f", purged {proof['purged_at']:%Y-%m-%d}" if proof["purged_at"] else ""
    cost = "unknown" if proof["cost_usd"] is None else f"${proof['cost_usd']:.6f}"
    return f"answer: supplier-risk call {first}{parts}{purged}; calls {proof['calls']}, cost {cost}"


def _words(name: str) -> str:
    return plain(name).replace("_", " ")
