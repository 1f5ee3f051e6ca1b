"""Asks for the findings of texts of any length: part by part, halved where a model finds a part too
long; and makes one answer of those of all parts.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from orchestration.scoring.calls import OK, Answer, Call
from orchestration.scoring.evidence import comparable, find_quote
from orchestration.scoring.replies import MAX_FINDINGS, Finding, FindingsReply
from orchestration.scoring.splitting import Part, halve

TOO_LONG = "too_long"
SHORTEST_HALVED = 2_000


@dataclass
class Reading:
    """A text in parts: those that are to be asked about, by cache key those that are being asked,
    and those that were read, each with its answer."""

    language: str | None
    open: list[Part]
    asked: dict[str, list[Part]] = field(default_factory=dict)
    read: list[tuple[Part, Answer]] = field(default_factory=list)

    def calls(self, call: Callable[[Part], Call]) -> list[Call]:
        """About each open part; parts that are alike make one. Of a text with a part that failed
        no more is asked: what it lacks is asked when it is tried again, the rest is cached."""
        parts, self.open = self.open, []
        calls: dict[str, Call] = {}
        for part in parts if self.failure is None else []:
            one = call(part)
            if one.cache_key not in self.asked:
                calls[one.cache_key] = one
            self.asked.setdefault(one.cache_key, []).append(part)
        return list(calls.values())

    def take(self, cache_key: str, answer: Answer) -> None:
        """Keep the answer to a part, or open its halves."""
        for part in self.asked.pop(cache_key, []):
            if answer.outcome == TOO_LONG and len(part.text) > SHORTEST_HALVED:
                self.open += halve(part, self.language)
            else:
                self.read.append((part, answer))

    @property
    def is_finished(self) -> bool:
        """Nothing is asked, and nothing is to be asked."""
        return not self.asked and (not self.open or self.failure is not None)

    @property
    def is_good(self) -> bool:
        """It was read to its end."""
        return self.failure is None

    @property
    def answers(self) -> list[Answer]:
        """In the order of the text."""
        return [answer for _, answer in sorted(self.read, key=lambda entry: entry[0].start)]

    @property
    def failure(self) -> Answer | None:
        """What fails the whole text: the answer that no other try can mend, else the first."""
        failed = [answer for answer in self.answers if answer.outcome != OK]
        return min(failed, key=lambda answer: answer.is_transient, default=None)

    @property
    def response_ids(self) -> list[int]:
        """Of the answers that it rests on, each once: parts that are alike have one."""
        ids = (answer.response_id for answer in self.answers)
        return list(dict.fromkeys(one for one in ids if one is not None))


def merged(reading: Reading) -> tuple[FindingsReply, list[Part]]:
    """One reply, and the part that each of its findings is from. Of findings that agree in
    dimension, event type and quote the gravest counts; at most MAX_FINDINGS, the gravest first."""
    replies: list[tuple[Part, FindingsReply]] = [
        (part, answer.reply) for part, answer in sorted(reading.read, key=lambda one: one[0].start)
    ]
    found = [(finding, part) for part, reply in replies for finding in reply.findings]
    if len(replies) > 1:
        found.sort(key=lambda entry: -entry[0].level)
        unique: dict[tuple[str, str, str], tuple[Finding, Part]] = {}
        for finding, part in found:
            unique.setdefault(_same(finding), (finding, part))
        found = list(unique.values())[:MAX_FINDINGS]
    relevance = max(reply.relevance for _, reply in replies)
    reply = FindingsReply(relevance=relevance, findings=[finding for finding, _ in found])
    return reply, [part for _, part in found]


def _same(finding: Finding) -> tuple[str, str, str]:
    return finding.dimension, finding.event_type, comparable(finding.quote)


def find_quote_from(part: Part, quote: str, text: str) -> tuple[int, int] | None:
    """Like `find_quote`, for a quote that an answer to this part of the text gave."""
    if len(part.text) < len(text) and (place := find_quote(quote, part.text)):
        return place[0] + part.start, place[1] + part.start
    return find_quote(quote, text)
