"""The names of the supplier master, ready to be looked for in many texts. Pure; no database.

A name is also found with another legal form, or with none; one that two suppliers would share so is
found only as the master writes it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from orchestration.ingestion.suppliers import Supplier
from orchestration.scoring.company_names import base_name, comparable_name, end_of_legal_form
from orchestration.scoring.countries import is_place
from orchestration.scoring.matching import Match, NameFinder

_TOO_SHORT_ALONE = 2


class _Known(NamedTuple):
    """`needs_form`: too short alone, or the name of a place."""

    supplier_id: str
    needs_form: bool


class SupplierNames:
    """Finds supplier ids by name and alias."""

    def __init__(self, suppliers: Sequence[Supplier]) -> None:
        listed = {name: supplier.supplier_id for supplier in suppliers for name in _names(supplier)}
        self._finder: NameFinder[_Known] = NameFinder(
            [
                *_without_forms(suppliers, {name.casefold() for name in listed}),
                *((name, _Known(supplier_id, False)) for name, supplier_id in listed.items()),
            ]
        )
        self._exactly = {name.casefold(): supplier_id for name, supplier_id in listed.items()}
        self._exactly |= {supplier.supplier_id: supplier.supplier_id for supplier in suppliers}
        owners = {(comparable_name(name), supplier_id) for name, supplier_id in listed.items()}
        shared = Counter(name for name, _ in owners)
        self._roughly = {name: owner for name, owner in owners if name and shared[name] == 1}

    def find(self, text: str) -> Iterator[Match[str]]:
        """In the order of the text, none overlapping another; with the legal form behind it."""
        for match in self._finder.find(text):
            end = end_of_legal_form(text, match.end)
            if end > match.end or not match.value.needs_form:
                yield Match(match.start, end, match.value.supplier_id)

    def resolve(self, name: str) -> str | None:
        """The supplier with this id, name or alias, whatever its legal form."""
        return self._exactly.get(name.casefold()) or self._roughly.get(comparable_name(name))


def _names(supplier: Supplier) -> set[str]:
    return {supplier.name, *supplier.aliases}


def _without_forms(suppliers: Sequence[Supplier], listed: set[str]) -> Iterator[tuple[str, _Known]]:
    bases = {
        (base, supplier.supplier_id)
        for supplier in suppliers
        for name in _names(supplier)
        if (base := base_name(name)).casefold() not in listed
    }
    owners = Counter(base.casefold() for base, _ in {(b.casefold(), s) for b, s in bases})
    for base, supplier_id in sorted(bases):
        if owners[base.casefold()] == 1:
            needs_form = len(base) <= _TOO_SHORT_ALONE or is_place(base)
            yield base, _Known(supplier_id, needs_form)
