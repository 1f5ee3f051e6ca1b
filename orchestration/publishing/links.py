"""Links from a message to the dashboard of a supplier, or the command that says the same. Pure."""

import shlex
from urllib.parse import quote

from orchestration.settings import SupersetSettings


def supplier_link(settings: SupersetSettings, supplier_name: str, country: str) -> str | None:
    """The dashboard `supplier` with this supplier and country (its name, as the filter has it)
    chosen; None without SUPERSET_URL."""
    if settings.url is None:
        return None
    filters = ",".join(
        f"{key}:{_chosen(key, column, value)}"
        for key, column, value in (
            ("NATIVE_FILTER-supplier", "supplier_name", supplier_name),
            ("NATIVE_FILTER-country", "country_name", country),
        )
    )
    return f"{settings.url}/superset/dashboard/supplier/?native_filters={quote(f'({filters})')}"


def explain_command(supplier_id: str, country: str) -> str:
    """What shows the same in a terminal; `country` is its code."""
    return f"supplier-risk explain {shlex.quote(supplier_id)} {shlex.quote(country)}"


def _chosen(key: str, column: str, value: str) -> str:
    """One native filter of Superset, in rison."""
    values = f"!({_text(value)})"
    return (
        f"(extraFormData:(filters:!((col:{column},op:IN,val:{values}))),"
        f"filterState:(value:{values}),id:{key},ownState:())"
    )


def _text(value: str) -> str:
    """A string in rison, where ! escapes itself and the quote."""
    escaped = value.replace("!", "!!").replace("'", "!'")
    return f"'{escaped}'"
