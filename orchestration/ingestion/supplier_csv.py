"""Reads the supplier master from the user's CSV and says what is wrong with each line."""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TypeVar

import pandas as pd

from orchestration.errors import UsageError
from orchestration.ingestion.message import find_country
from orchestration.ingestion.suppliers import Supplier

COLUMNS = ("supplier_id", "name", "aliases", "home_country", "category", "tier", "annual_spend_usd")
_SUPPLIER_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
Number = TypeVar("Number", int, Decimal)


def read_csv(path: Path) -> list[Supplier]:
    """Read the master; aliases are separated by `|`. Raises UsageError with each bad line."""
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"There is no supplier master at {path} (INGEST_SUPPLIERS_CSV)") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not a CSV in UTF-8: {error}") from None
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise UsageError(f"{path} lacks the columns {', '.join(missing)}")
    suppliers, problems = [], []
    for line, row in enumerate(frame.to_dict("records"), start=2):
        try:
            suppliers.append(_supplier({str(key): str(value) for key, value in row.items()}))
        except ValueError as error:
            problems.append(f"line {line}: {error}")
    problems += _repeated(suppliers)
    if problems:
        raise UsageError(f"{path} cannot be used:\n" + "\n".join(problems))
    return suppliers


def _supplier(row: dict[str, str]) -> Supplier:
    row = {key: value.strip() for key, value in row.items()}
    if not _SUPPLIER_ID.fullmatch(row["supplier_id"]):
        raise ValueError(
            f"supplier_id {row['supplier_id']!r} is not lower-case letters, digits and hyphens"
        )
    if not row["name"]:
        raise ValueError(f"{row['supplier_id']} has no name")
    home_country = find_country(row["home_country"])
    if home_country is None:
        raise ValueError(
            f"home_country {row['home_country']!r} of {row['supplier_id']} is no ISO 3166-1 "
            "alpha-2 code"
        )
    names = [alias.strip() for alias in row["aliases"].split("|") if alias.strip()]
    return Supplier(
        supplier_id=row["supplier_id"],
        name=row["name"],
        aliases=tuple(dict.fromkeys(names)),
        home_country=home_country,
        category=row["category"] or None,
        tier=_number(row, "tier", int),
        annual_spend_usd=_number(row, "annual_spend_usd", Decimal),
    )


def _number(row: dict[str, str], column: str, kind: Callable[[str], Number]) -> Number | None:
    if not row[column]:
        return None
    try:
        return kind(row[column])
    except (ValueError, InvalidOperation):
        raise ValueError(f"{column} {row[column]!r} of {row['supplier_id']} is no number") from None


def _repeated(suppliers: Sequence[Supplier]) -> list[str]:
    """Ids and names that would make a match ambiguous."""
    problems = []
    owner_of: dict[str, str] = {}
    seen: set[str] = set()
    for supplier in suppliers:
        if supplier.supplier_id in seen:
            problems.append(f"supplier_id {supplier.supplier_id} stands there twice")
        seen.add(supplier.supplier_id)
        for name in {supplier.name.casefold(), *(alias.casefold() for alias in supplier.aliases)}:
            other = owner_of.setdefault(name, supplier.supplier_id)
            if other != supplier.supplier_id:
                problems.append(f"the name {name!r} belongs to {other} and {supplier.supplier_id}")
    return problems
