"""Asks for the findings of texts of any length: part by part, halved where a model finds a part too
long; and makes one answer of those of all parts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestration.scoring.calls import OK, Answer, Call
from orchestration.scoring.evidence import comparable, find_quote
from orchestration.scoring.replies import MAX_FINDINGS, Finding, FindingsReply
from orchestration.scoring.splitting import Part, halve

TOO_LONG = "too_long"
SHORTEST_HALVED = 2_000


@dataclass
class Reading:
    """A text in parts, and the answer to each. `asked` holds also what was then halved."""

    language: str | None
    open: list[Part]
    asked: dict[str, Answer] = field(default_factory=dict)
    read: list[tuple[Part, Answer]] = field(default_factory=list)

    def take(self, part: Part, call: Call, answer: Answer) -> None:
        """Keep the answer to a part, or open its halves."""
        self.asked[call.cache_key] = answer
        if answer.outcome == TOO_LONG and len(part.text) > SHORTEST_HALVED:
            self.open += halve(part, self.language)
        else:
            self.read.append((part, answer))

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


def read_all(
    readings: Mapping[int, Reading],
    call: Callable[[int, Part], Call],
    ask: Callable[[Sequence[Call]], Mapping[str, Answer]],
) -> None:
    """Ask for every open part until none is left. A text with a part that failed is not gone on
    with: what it lacks is asked when it is tried again, the rest comes from the cache."""
    while calls := list(_open_calls(readings, call)):
        answers = ask([one for _, _, one in calls])
        for reading, part, one in calls:
            reading.take(part, one, answers[one.cache_key])


def _open_calls(
    readings: Mapping[int, Reading], call: Callable[[int, Part], Call]
) -> Iterator[tuple[Reading, Part, Call]]:
    for key, reading in readings.items():
        parts, reading.open = reading.open, []
        if reading.failure is None:
            for part in parts:
                yield reading, part, call(key, part)


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
