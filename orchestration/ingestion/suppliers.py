"""The supplier master in the database: versioned rows of ingest.suppliers."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from orchestration.resources.postgres import Connection, one


@dataclass(frozen=True)
class Supplier:
    """One row of the master. `home_country` is ISO 3166-1 alpha-2."""

    supplier_id: str
    name: str
    aliases: tuple[str, ...]
    home_country: str
    category: str | None
    tier: int | None
    annual_spend_usd: Decimal | None


def load(connection: Connection, suppliers: Sequence[Supplier]) -> int:
    """Make the master in the database equal to these; returns how many suppliers changed.

    A changed supplier gets a new version, one that is gone is closed; nothing is overwritten.
    """
    wanted = {supplier.supplier_id: supplier for supplier in suppliers}
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('ingest.suppliers'))")
        current = {supplier.supplier_id: supplier for supplier in current_suppliers(connection)}
        changed = [s for s in wanted.values() if current.get(s.supplier_id) != s]
        closed = [s for s in current if wanted.get(s) != current[s]]
        connection.execute(
            "update ingest.suppliers set replaced_at = now()"
            " where replaced_at is null and supplier_id = any(%s)",
            [closed],
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                """
                insert into ingest.suppliers (
                    supplier_id, version, name, aliases, home_country, category, tier,
                    annual_spend_usd
                )
                select
                    %(supplier_id)s, coalesce(max(version), 0) + 1, %(name)s, %(aliases)s,
                    %(home_country)s, %(category)s, %(tier)s, %(annual_spend_usd)s
                from ingest.suppliers where supplier_id = %(supplier_id)s
                """,
                [{**vars(supplier), "aliases": list(supplier.aliases)} for supplier in changed],
            )
    return len({*closed, *(supplier.supplier_id for supplier in changed)})


def current_suppliers(connection: Connection) -> Sequence[Supplier]:
    """The master as it stands, sorted by supplier id."""
    rows = connection.execute(
        "select supplier_id, name, aliases, home_country, category, tier, annual_spend_usd"
        " from ingest.suppliers where replaced_at is null order by supplier_id"
    )
    return [Supplier(**{**row, "aliases": tuple(row["aliases"])}) for row in rows]


def last_change(connection: Connection) -> tuple[int, int]:
    """How many suppliers the master has, and the number of the transaction that changed it last
    (0 if none did)."""
    row = one(
        connection,
        "select count(*) filter (where replaced_at is null) as suppliers,"
        " coalesce(max(changed_in), 0) as changed_in from ingest.suppliers",
    )
    return row["suppliers"], row["changed_in"]
