"""Relevance: is a document really about the suppliers that it seems to name? Asked of the LLM once
for a document, and what its reply makes of the mentions. Pure; no SQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from orchestration.ingestion.message import find_country
from orchestration.ingestion.suppliers import Supplier
from orchestration.scoring import prompts
from orchestration.scoring.calls import Call
from orchestration.scoring.company_names import comparable_name
from orchestration.scoring.countries import country_name
from orchestration.scoring.evidence import find_quote
from orchestration.scoring.mention_rule import MAX_COUNTRIES, Mention, Mentions
from orchestration.scoring.replies import MentionsReply, SupplierVerdict
from orchestration.scoring.splitting import excerpt
from orchestration.scoring.supplier_names import SupplierNames
from orchestration.scoring.visible import visible
from orchestration.settings import LlmSettings

MAX_CANDIDATES = 20
MAX_NAME = 200
_USUAL_SLIPS = {"UK": "GB", "EL": "GR"}


@dataclass(frozen=True)
class Candidate:
    """A company that a document names as affected, and that is in no master."""

    name: str
    normalised_name: str
    country: str | None


@dataclass
class Verdict:
    """The mentions that stand, the suppliers that the document is not about, and who else is
    affected. `odd_countries` are codes that no country has."""

    mentions: Mentions
    dropped: list[str] = field(default_factory=list)
    odd_countries: list[str] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)


class Question:
    """Which of the suppliers of a document it is about. They are numbered from 1."""

    def __init__(self, text: str, found: Mentions, suppliers: dict[str, Supplier]) -> None:
        self._text = text
        self._found = found
        self._ids = list(dict.fromkeys(mention.supplier_id for mention in found.kept))
        self._suppliers = suppliers

    def call(self, item_id: int, llm: LlmSettings) -> Call:
        """Nothing but the document, names and countries is in it: the cache knows it again."""
        words = [mention.matched_text for mention in self._found.kept]
        shown = excerpt(self._text, llm.max_document_characters, words)
        places = {
            "document": prompts.delimited(visible(shown)),
            "suppliers": "\n".join(
                self._line(number, supplier_id)
                for number, supplier_id in enumerate(self._ids, start=1)
            ),
        }
        return Call(item_id, prompts.SUPPLIER_MENTIONS, places, llm, self._fault)

    def verdict(
        self, reply: MentionsReply, response_id: int | None, names: SupplierNames
    ) -> Verdict:
        """What a publisher named stays whatever the reply says; so does what it leaves out."""
        verdict = Verdict(replace(self._found, kept=[], cut=list(self._found.cut)))
        judged = {self._ids[one.supplier - 1]: one for one in reply.suppliers}
        for supplier_id in self._ids:
            mentions = self._of(supplier_id)
            one = judged.get(supplier_id)
            is_hint = mentions[0].found_by == "hint"
            if one is not None and not one.is_subject and not is_hint:
                verdict.dropped.append(supplier_id)
                continue
            if one is not None:
                if not is_hint:
                    mentions = _in_countries(mentions, one, verdict)
                mentions = [_judged(mention, one, response_id) for mention in mentions]
            verdict.mentions.kept += mentions[:MAX_COUNTRIES]
            verdict.mentions.cut += mentions[MAX_COUNTRIES:]
        verdict.mentions.limited()
        verdict.candidates = self._candidates(reply, names)
        return verdict

    def _of(self, supplier_id: str) -> list[Mention]:
        return [mention for mention in self._found.kept if mention.supplier_id == supplier_id]

    def _line(self, number: int, supplier_id: str) -> str:
        supplier = self._suppliers[supplier_id]
        names = " | ".join([supplier.name, *sorted(supplier.aliases)])
        codes = [mention.country for mention in self._of(supplier_id)]
        countries = ", ".join(f"{country_name(code)} ({code})" for code in codes)
        return prompts.line(f"{number}. {names}; countries: {countries}")

    def _fault(self, reply: MentionsReply) -> str | None:
        numbers = [one.supplier for one in reply.suppliers]
        unknown = sorted({n for n in numbers if not 1 <= n <= len(self._ids)})
        if unknown:
            return f"the reply judges suppliers that were not asked about: {unknown[:5]}"
        if len(set(numbers)) < len(numbers):
            return "the reply judges a supplier twice"
        return None

    def _candidates(self, reply: MentionsReply, names: SupplierNames) -> list[Candidate]:
        """Only names that stand in the document, and that the master lacks."""
        found: dict[str, Candidate] = {}
        for other in reply.others:
            name = " ".join(other.name.split())
            normalised = comparable_name(name)
            is_new = normalised and normalised not in found and names.resolve(name) is None
            if is_new and len(name) <= MAX_NAME and find_quote(name, self._text):
                country = _code(other.country) if other.country else None
                found[normalised] = Candidate(name, normalised, country)
        return list(found.values())[:MAX_CANDIDATES]


def _in_countries(
    mentions: Sequence[Mention], one: SupplierVerdict, verdict: Verdict
) -> list[Mention]:
    """The mentions in the countries of the reply; as they were where it names none that exists."""
    by_country = {mention.country: mention for mention in mentions}
    codes = {given: _code(given) for given in one.countries}
    verdict.odd_countries += [given[:40] for given, code in codes.items() if code is None]
    moved = replace(mentions[0], country_source="llm")
    wanted = dict.fromkeys(code for code in codes.values() if code is not None)
    found = [by_country.get(code) or replace(moved, country=code) for code in wanted]
    return found or list(mentions)


def _judged(mention: Mention, one: SupplierVerdict, response_id: int | None) -> Mention:
    return replace(mention, relevance=one.relevance, urgency=one.urgency, response_id=response_id)


def _code(given: str) -> str | None:
    code = given.strip().upper()
    return find_country(_USUAL_SLIPS.get(code, code))
