"""`search`: words in documents and answers, and the number to look them up by."""

from collections.abc import Sequence
from datetime import UTC
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from orchestration.settings import PostgresSettings
from orchestration.terminal import out, plain

if TYPE_CHECKING:
    from orchestration.history.search import Found, Hit

_FOUND = "bold black on yellow"


class Where(StrEnum):
    """What is searched."""

    DOCUMENTS = "documents"
    ANSWERS = "answers"
    BOTH = "both"


def search(
    words: Annotated[str, typer.Argument(help='Such as: "export control" or embargo -Iran')],
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many, the best first.")] = 10,
    where: Annotated[Where, typer.Option("--in", help="What to search.")] = Where.BOTH,
) -> None:
    """Search documents and answers for words, as in a web search; the best matches first."""
    from orchestration.history.search import search as find
    from orchestration.resources.postgres import connect

    kinds = ("documents", "answers") if where is Where.BOTH else (where.value,)
    with connect(PostgresSettings.load(), "supplier-risk search") as connection:
        found = find(connection, words, kinds, limit)
    _show(found, kinds)


def _show(found: "Found", kinds: Sequence[str]) -> None:
    from orchestration.history.search import MOST_RANKED

    if not found.hits:
        out.print(f"Nothing in {' and '.join(kinds)} matches.")
    for place, hit in enumerate(found.hits, start=1):
        out.print(Text.assemble((f"{place:>2}. ", "dim"), (_title(hit), "bold")))
        out.print(Padding(_details(hit), (0, 0, 0, 4), expand=False))
        out.print(Padding(_marked(hit.excerpt), (0, 0, 1, 4), expand=False))
    if not found.is_complete:
        out.print(
            "Many texts are new, and some of them are not searchable yet: the next scoring run "
            "makes them so. Searching again goes on with it, too."
        )
    for kind in found.partly_ranked:
        out.print(
            f"These words are frequent: of the {kind} only the newest {MOST_RANKED:,} that match "
            "were ranked. More words find better."
        )


def _title(hit: "Hit") -> str:
    return plain(hit.title).replace("\n", " ") or "(no title)"


def _details(hit: "Hit") -> Text:
    kind = hit.kind.removesuffix("s")
    subjects = ", ".join(hit.subjects) or "no supplier"
    number = f"supplier-risk call {hit.number}" if kind == "answer" else f"document {hit.number}"
    return Text(f"{number}\n{kind} of {hit.written_at.astimezone(UTC):%Y-%m-%d}; {subjects}", "dim")


def _marked(excerpt: str) -> Text:
    """The excerpt in one paragraph, with its marks as a style."""
    from orchestration.history.search import BEGIN, END

    text = Text()
    for number, part in enumerate(excerpt.split(BEGIN)):
        found, end, rest = part.partition(END) if number else ("", "", part)
        text.append(_flat(found), _FOUND if end else "")
        text.append(_flat(rest))
    return text


def _flat(text: str) -> str:
    return " ".join(plain(text).replace("\t", " ").split("\n"))
