"""Rows in real mart tables, as a build of dbt would leave them."""

from datetime import date, timedelta
from typing import Any

from psycopg import Connection

AS_OF = "2026-03-31"
TODAY = date.fromisoformat(AS_OF)
_BANDS = ((75, "critical"), (50, "high"), (25, "medium"), (0, "low"))


def band_of(score: float | None) -> str:
    if score is None:
        return "no signal"
    return next(band for lowest, band in _BANDS if score >= lowest)


class Marts:
    """`owner` is the role transformer. Nothing is seen before `refreshed`."""

    def __init__(self, owner: Connection[Any]) -> None:
        self._owner = owner
        row = owner.execute("select policy_version from intermediate.last_refresh").fetchone()
        self.policy: str = row[0] if row else ""

    def pair(
        self,
        supplier: str,
        score: float | None,
        country: str = "MX",
        name: str | None = None,
        models: str = "gpt-x",
        **causes: float,
    ) -> None:
        """The overall row of a pair and its changes; `causes` are those of a week."""
        place = {"supplier_id": supplier, "country": country, "dimension": "overall"}
        for mart in ("supplier_risk_current", "risk_changes"):
            self._owner.execute(
                f"delete from marts.{mart} where supplier_id = %s and country = %s",
                [supplier, country],
            )
        names = {"supplier_name": name or supplier.capitalize()}
        self.insert(
            "supplier_risk_current",
            **place,
            **names,
            score=score,
            band=band_of(score),
            top_dimension="operational",
            keywords="fire",
            models=models,
            policy_version=self.policy,
        )
        parts = {"new_events": 0.0, "decay": 0.0, "rescoring": 0.0, "rollbacks": 0.0, **causes}
        main = max(parts, key=lambda name: abs(parts[name]))
        self.insert(
            "risk_changes",
            **place,
            **names,
            **parts,
            score_now=score,
            band_now=band_of(score),
            band_before="no signal",
            change=sum(parts.values()),
            main_cause={"new_events": "new events", "rollbacks": "rollback"}.get(main, main),
            compared_with=TODAY - timedelta(7),
        )

    def forget_pair(self, supplier: str) -> None:
        for mart in ("supplier_risk_current", "risk_changes"):
            self._owner.execute(f"delete from marts.{mart} where supplier_id = %s", [supplier])

    def event(self, supplier: str, first: str, last: str | None = None, **columns: Any) -> None:
        """A severe one, unless `highest_level` says otherwise."""
        values = {
            "event_id": f"{supplier}-{columns.get('event_type', 'fire')}-{first}",
            "supplier_name": supplier.capitalize(),
            "country": "MX",
            "dimension": "operational",
            "event_type": "fire",
            "highest_level": 5,
            "contribution": 60,
            "documents": 1,
            "publishers": 1,
            "evidence_quote": "It burns.",
            "evidence_title": "News",
            "evidence_url": "https://news.example/fire",
            **columns,
        }
        self.insert(
            "risk_events",
            supplier_id=supplier,
            first_seen_on=first,
            last_seen_on=last or first,
            **values,
        )

    def forget_events(self) -> None:
        self._owner.execute("delete from marts.risk_events")

    def refreshed(self) -> None:
        """As if a build had begun and ended: each writes its row anew."""
        self.begun()
        self._owner.execute("update intermediate.last_refresh set read_to = read_to")

    def begun(self) -> None:
        """As if one had begun."""
        self._owner.execute("update intermediate.int_refresh set read_to = read_to")

    def execute(self, statement: Any) -> None:
        self._owner.execute(statement)

    def insert(self, mart: str, **values: Any) -> None:
        """One row of any mart; what it must have and is not given is filled."""
        described = self._owner.execute(
            "select column_name, data_type from information_schema.columns"
            " where table_schema = 'marts' and table_name = %s and is_nullable = 'NO'",
            [mart],
        ).fetchall()
        fill = {"text": "overall", "date": TODAY}
        rest = {name: fill.get(kind, 0) for name, kind in described if name not in values}
        row = {**values, **rest, "as_of_date": TODAY}
        names, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        self._owner.execute(f"insert into marts.{mart} ({names}) values ({places})", row)
