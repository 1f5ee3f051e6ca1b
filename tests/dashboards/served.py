"""The running stack with its Superset, as the tests of the dashboards see it."""

from typing import Any

import yaml
from playwright.sync_api import Browser

from orchestration.local import dashboards
from orchestration.settings import PostgresSettings
from tests.dashboards.looking import Visitor, log_in
from tests.local.stack import LocalStack
from tests.migrations.test_roles import connect_as

EVERY = ("overview", "supplier", "country", "evidence-and-audit", "llm-operations")
OF_BUYERS = ("overview", "supplier", "evidence-and-audit")
OWN = "supplier_category in ('electronics', 'metals')"
SCORED = "from marts.supplier_risk_current where dimension = 'overall' and score is not null"
# Good news is that there is nothing to show here.
MAY_BE_EMPTY = {
    "Findings whose quote is not in the document: they do not count",
    "Dead letters",
    "A newer model or prompt against an older one, over the same documents (risk: 100 = highest)",
}


class Served:
    """The running stack, its Superset, and those who have logged in there."""

    def __init__(self, stack: LocalStack, opened: Browser) -> None:
        self.stack = stack
        self.address = stack.running().address(dashboards.NAME)
        self.secrets = stack.state.read_superset_env()
        self._browser = opened
        self._visitors: dict[str, Visitor] = {}

    def visitor(self, user: str, width: int = 1600) -> Visitor:
        """Each user logs in once; tests go on in the same window."""
        if user not in self._visitors:
            password = self.password(user)
            self._visitors[user] = log_in(self._browser, self.address, user, password, width)
        return self._visitors[user]

    def password(self, user: str) -> str:
        return self.secrets[dashboards.password_variable(user)]

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """As bi_reader, the role that Superset has."""
        values = {
            key.removeprefix("POSTGRES_").lower(): value
            for key, value in self.stack.state.read_env().items()
            if key.startswith("POSTGRES_")
        }
        settings = PostgresSettings.model_validate(values)
        password = settings.bi_reader_password.get_secret_value()
        with connect_as(settings, "bi_reader", password) as connection:
            return [tuple(row) for row in connection.execute(query).fetchall()]

    def count(self, query: str) -> str:
        return f"{self.sql(query)[0][0]:,}"


def titles(slug: str) -> set[str]:
    """The charts that the bundle puts into a dashboard."""
    file = dashboards.SOURCE / "bundle" / "dashboards" / f"{slug.replace('-', '_')}.yaml"
    places = yaml.safe_load(file.read_text())["position"].values()
    return {
        place["meta"]["sliceName"]
        for place in places
        if isinstance(place, dict) and place["type"] == "CHART"
    }


def assert_all_is_shown(visitor: Visitor, slug: str) -> None:
    look = visitor.open(slug)
    assert set(look["titles"]) == titles(slug)
    assert look["wrong"] == []
    assert set(look["empty"]) <= MAY_BE_EMPTY
    assert visitor.seen.refused == []
    assert visitor.seen.foreign == set(), "an outside host answered"
