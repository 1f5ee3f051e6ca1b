"""What a message says, in words: the same for Slack and e-mail. Pure.

Quotes and titles are texts of strangers: they become one line without hidden characters, and are
never markup.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from orchestration.publishing.alerts import Alert, Message
from orchestration.scoring.visible import visible
from orchestration.settings import OFFLINE_ANALYST

_LONGEST_URL = 1_000
_UNSAFE_IN_URLS = re.compile(r"[^!-~]")
SCALE = "Scores run from 0 to 100; 100 is the highest risk."
ANALYST = (
    f"Read by {OFFLINE_ANALYST}, the offline analyst: a word list, a stand-in for a model. Its "
    "judgements are those of a word list."
)


@dataclass(frozen=True)
class Section:
    """A paragraph of plain text, and links with a label each."""

    text: str
    links: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Text:
    """A whole message: one line that says what it is about, and what follows."""

    subject: str
    sections: Sequence[Section]


def one_line(text: str, longest: int) -> str:
    """The visible text on one line, cut where it is longer."""
    line = " ".join(visible(text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def web_link(url: str | None) -> str | None:
    """The address, if it leads a browser to a page of a host and shows which; else None."""
    if url is None or len(url) > _LONGEST_URL or _UNSAFE_IN_URLS.search(url):
        return None
    try:
        parts = urlsplit(url)
        host, user = parts.hostname, parts.username
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not host or user is not None:
        return None
    return quote(url, safe=":/?#[]@!$&'()*+,;=%~-._")


def text_of(message: Message, max_lines: int) -> Text:
    """The message for people; of more alerts than `max_lines` the rest is counted."""
    if message.kind == "test":
        return Text(
            "Supplier risk: this is a test",
            [Section("This is a test message of `supplier-risk alerts test`. Nothing happened.")],
        )
    if message.kind == "digest":
        return _digest(message.alerts[0])
    shown, more = message.alerts[:max_lines], len(message.alerts) - max_lines
    sections = [_section(alert) for alert in shown]
    if more > 0:
        sections.append(Section(f"... and {more:,} more: supplier-risk alerts list"))
    sections.append(Section(_footer(alert.says.get("models") for alert in message.alerts)))
    return Text(_subject(message.alerts), sections)


def _subject(alerts: Sequence[Alert]) -> str:
    if len(alerts) == 1:
        return f"Supplier risk: {_headline(alerts[0])}"
    rises = sum(alert.kind == "band" for alert in alerts)
    counts = ((rises, "in a higher band"), (len(alerts) - rises, "severe events"))
    return "Supplier risk: " + ", ".join(f"{count:,} {what}" for count, what in counts if count)


def _headline(alert: Alert) -> str:
    says = alert.says
    who = f"{says['supplier_name']} ({says['country_name']})"
    if alert.kind == "band":
        return f"{who} is {says['band']} now, was {says['band_before']}"
    return f"{who}: severe event, {_words(says['event_type'])}"


def _section(alert: Alert) -> Section:
    says, evidence = alert.says, alert.says["evidence"]
    if alert.kind == "band":
        before = "no score" if says["score_before"] is None else says["score_before"]
        what = (
            f"Score {says['score']}, was {before}. Cause: {_cause(says)}. "
            f"Worst in {_words(says['dimension'])}."
        )
    else:
        what = (
            f"Level {says['level']} of 5 in {_words(says['dimension'])}, "
            f"{_days(says)}. Cause: {_cause(says)}."
        )
    proof = f"\n“{evidence['quote']}”" if evidence["quote"] else ""
    title = f"\n{evidence['title']}" if evidence["title"] else ""
    where = "" if says["link"] else f"\nWhy: {says['command']}"
    links = [("document", evidence["url"]), ("dashboard", says["link"])]
    return Section(
        f"{_headline(alert)}. {what}{proof}{title}{where}",
        [(label, url) for label, url in links if url],
    )


def _cause(says: Mapping[str, Any]) -> str:
    """In words that keep news apart from what a prompt, a model or a person changed."""
    words = {
        "new events": "news",
        "rescoring": "read again by another model or prompt, not news",
        "rollback": "answers taken back or restored by a person, not news",
        "decay": "age of the events",
        "policy": "the scoring policy was changed, not news",
    }
    parts = {
        words[name]: says.get("moved_by", {}).get(key, 0)
        for name, key in (
            ("new events", "new_events"),
            ("rescoring", "rescoring"),
            ("rollback", "rollbacks"),
        )
    }
    if says["cause"] == "policy":
        return words["policy"]
    several = [f"{what} (+{by})" for what, by in parts.items() if by]
    return "; ".join(several) if len(several) > 1 else words.get(says["cause"], "unknown")


def _days(says: Mapping[str, Any]) -> str:
    first, last = says["first_seen_on"], says["last_seen_on"]
    return f"on {first}" if first == last else f"{first} to {last}"


def _words(name: str | None) -> str:
    return (name or "unknown").replace("_", " ")


def _footer(models: Iterator[str | None]) -> str:
    names = {name for listed in models if listed for name in listed.split(", ")}
    return f"{SCALE} {ANALYST}" if OFFLINE_ANALYST in names else SCALE


def _digest(alert: Alert) -> Text:
    says = alert.says
    counts = says["suppliers_by_band"]
    bands = ", ".join(f"{one['suppliers']:,} {one['band']}" for one in counts)
    sections = [
        Section(
            f"Suppliers by their worst country: {bands or 'none'}. "
            f"Scores are those of {says['as_of_date'] or 'no day yet'}.",
            _links(says),
        ),
        Section(_list("Critical since yesterday", says["newly_critical"], _pair)),
        Section(_list("Moved most in 7 days", says["movers"], _mover)),
        Section(
            _list("Severe events of the last 24 hours", says["events"], _event),
            [(_event_name(row), row["url"]) for row in says["events"] if row["url"]],
        ),
        Section(_unscored(says)),
        Section(_footer(iter([says["models"]]))),
    ]
    return Text(f"Supplier risk on {says['date']}: {bands or 'no supplier yet'}", sections)


def _links(says: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [("dashboards", says["link"])] if says["link"] else []


def _list(heading: str, rows: Sequence[Mapping[str, Any]], line: Any) -> str:
    if not rows:
        return f"{heading}: none."
    lines = [f"- {line(row)}" for row in rows]
    more = rows[0].get("found", len(rows)) - len(rows)
    return "\n".join([f"{heading}:", *lines, *([f"- and {more:,} more"] if more > 0 else [])])


def _pair(row: Mapping[str, Any]) -> str:
    return f"{row['supplier_name']} ({row['country']}): {row['score']}"


def _mover(row: Mapping[str, Any]) -> str:
    now = "no score" if row["score"] is None else row["score"]
    return f"{_pair({**row, 'score': now})} ({row['change']:+}), mostly by {row['cause']}"


def _event(row: Mapping[str, Any]) -> str:
    quote = f": “{row['quote']}”" if row["quote"] else ""
    return f"{row['supplier_name']} ({row['country']}), {_words(row['event_type'])}{quote}"


def _event_name(row: Mapping[str, Any]) -> str:
    return f"{row['supplier_name']}, {_words(row['event_type'])}"


def _unscored(says: Mapping[str, Any]) -> str:
    told = f"Not scored: {says['pending']:,} documents wait, {says['dead']:,} failed for good."
    if says["undelivered"]:
        told += f" Not delivered: {says['undelivered']:,} messages (supplier-risk alerts list)."
    return told
