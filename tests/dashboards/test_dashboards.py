"""The dashboards in a real browser, on the sample feed: as manager, buyer, analyst, a stranger.

What is shown equals SQL on the marts; what is refused is refused by Superset or by PostgreSQL.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
import yaml
from playwright.sync_api import Browser

from orchestration.local import dashboards
from orchestration.publishing.links import supplier_link
from orchestration.settings import REPOSITORY, PostgresSettings, SupersetSettings
from tests.dashboards.looking import Visitor, browser, log_in
from tests.local.stack import LocalStack, eventually, local_stack
from tests.migrations.test_roles import connect_as

pytestmark = pytest.mark.slow

NEWS = REPOSITORY / "data" / "sample" / "supplier_news_200.jsonl"
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


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """The sample feed, scored, with the dashboards beside it."""
    with local_stack() as stack:
        stack.up()
        done = stack.run("demo", str(NEWS), timeout=400)
        assert done.returncode == 0, done.stdout + done.stderr
        done = stack.run("local", "dashboards")
        assert done.returncode == 0, done.stdout + done.stderr
        with browser() as opened:
            yield Served(stack, opened)


@pytest.fixture
def manager(served: Served) -> Visitor:
    return served.visitor("manager")


@pytest.fixture
def buyer(served: Served) -> Visitor:
    return served.visitor("buyer", width=1100)


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


@pytest.mark.parametrize("slug", EVERY)
def test_a_manager_sees_every_chart_of_every_dashboard(manager: Visitor, slug: str) -> None:
    assert_all_is_shown(manager, slug)


@pytest.mark.parametrize("slug", OF_BUYERS)
def test_a_buyer_sees_every_chart_of_their_dashboards(buyer: Visitor, slug: str) -> None:
    assert_all_is_shown(buyer, slug)


def test_the_overview_shows_what_sql_says(manager: Visitor, served: Served) -> None:
    manager.open("overview")
    suppliers = f"select count(distinct supplier_id) {SCORED}"
    assert manager.number("Critical now") == served.count(f"{suppliers} and band = 'critical'")
    assert manager.number("High now") == served.count(f"{suppliers} and band = 'high'")
    assert manager.number("New events") == served.count(
        "select count(*) from marts.risk_events where first_seen_on > as_of_date - 7"
    )
    newly = "select count(distinct supplier_id) from marts.risk_changes where dimension = 'overall'"
    assert manager.number("Newly critical") == served.count(
        f"{newly} and band_now = 'critical' and band_before <> 'critical'"
    )
    riskiest = manager.rows("Riskiest suppliers (100 = highest risk)")
    wanted = served.sql(
        f"select supplier_name, score::text as shown, band {SCORED}"
        " order by score desc, supplier_name"
    )
    assert [(row[0], row[2], row[3]) for row in riskiest[:10]] == wanted[:10]


def test_the_map_has_a_colour_for_each_country_and_the_same_one_for_the_same_band(
    manager: Visitor, served: Served
) -> None:
    """Colours are those of the bands: the ends of the scale do not move with the data."""
    manager.open("overview")
    fills = manager.chart("Worst supplier of each country (100 = highest risk)").locator(
        "path.datamaps-subunit"
    )
    shown: dict[str, str] = dict(
        fills.evaluate_all("paths => paths.map(p => [p.classList[1], p.style.fill])")
    )
    bands = {"critical": "rgb(179, 38, 30)", "low": "rgb(78, 159, 109)"}
    of_countries = served.sql(
        "select names.country_iso3, max(score) from marts.supplier_risk_current as risks"
        " inner join marts.country_names as names using (country)"
        " where dimension = 'overall' and score is not null group by 1"
    )
    drawn = [(iso3, score) for iso3, score in of_countries if iso3 in shown]
    assert drawn, "no country of the sample is on the map"
    nobody = shown["GRL"]
    assert all(shown[iso3] != nobody for iso3, _ in drawn)
    assert sum(fill != nobody for fill in shown.values()) == len(drawn)
    for iso3, score in drawn:
        if score >= 76 or score <= 23:
            assert shown[iso3] == bands["critical" if score >= 76 else "low"], (iso3, score)


def test_the_supplier_dashboard_begins_with_the_riskiest_and_leads_to_the_quote(
    manager: Visitor, served: Served
) -> None:
    manager.open("supplier")
    [row] = manager.rows("The supplier (100 = highest risk)")[:1]
    [(score,)] = served.sql(f"select max(score)::text {SCORED}")
    assert row[-1] == score
    events = manager.rows("Events, each with the sentence that proves it (100 = highest risk)")
    name = row[0].replace("'", "''")
    [(quotes, links)] = served.sql(
        "select array_agg(evidence_quote), array_agg(evidence_url) from marts.risk_events"
        f" where supplier_name = '{name}'"
    )
    assert sorted(event[-1] for event in events) == sorted(" ".join(q.split()) for q in quotes)
    shown = manager.chart("Events, each with the sentence that proves it (100 = highest risk)")
    hrefs = shown.locator("tbody a").evaluate_all("links => links.map(link => link.href)")
    assert sorted(hrefs) == sorted(link for link in links if link)


def test_the_other_dashboards_show_what_sql_says(manager: Visitor, served: Served) -> None:
    manager.open("country")
    countries = "select count(*) from marts.country_risk_current where dimension = 'overall'"
    assert manager.number("Countries with a risk") == served.count(countries)
    manager.open("evidence-and-audit")
    assert manager.number("Findings") == served.count("select count(*) from marts.risk_evidence")
    share = "select 100 * avg(quote_verified::int) from marts.risk_evidence"
    assert manager.number("Verified quotes") == f"{served.sql(share)[0][0]:.1f}%"
    manager.open("llm-operations")
    assert manager.number("Calls") == served.count("select sum(calls) from marts.llm_usage_daily")
    assert manager.number("Reconciliation gap") == "0"
    [batch] = manager.rows("Reconciliation: received = the sum of the states")
    [wanted] = served.sql("select received, scored from marts.pipeline_reconciliation")
    assert (batch[1], batch[2]) == (str(wanted[0]), str(wanted[1]))


def test_the_offline_analyst_is_named_and_the_scale_is_said(manager: Visitor) -> None:
    manager.open("overview")
    [row] = manager.rows("Where these numbers come from")
    assert row[0] == "100 = highest risk"
    assert "offline analyst" in row[-1]


def test_a_filter_and_a_click_change_the_other_charts(manager: Visitor, served: Served) -> None:
    manager.open("overview")
    manager.choose("category", "Electronics")
    look = manager.settled()
    assert look["wrong"] == []
    electronics = f"select count(distinct supplier_id) {SCORED} and supplier_category"
    for title, band in (("Critical now", "critical"), ("High now", "high")):
        wanted = served.count(f"{electronics} = 'electronics' and band = '{band}'")
        eventually(f"{title} filtered", lambda t=title, w=wanted: manager.number(t) == w, 20)  # type: ignore[misc]
    manager.open("overview")
    manager.chart("Worst supplier of each country (100 = highest risk)").locator(
        "path.datamaps-subunit.USA"
    ).click()
    wanted = served.count(
        f"select count(distinct supplier_id) {SCORED} and country = 'US' and band = 'high'"
    )
    eventually("the click filters", lambda: manager.number("High now") == wanted, 20)


def test_a_link_of_the_overview_opens_the_supplier(manager: Visitor) -> None:
    manager.open("overview")
    link = manager.chart("Riskiest suppliers (100 = highest risk)").locator("tbody a").nth(3)
    name = link.inner_text()
    link.click()
    manager.page.wait_for_url("**/superset/dashboard/supplier/**")
    manager.settled()
    assert {row[0] for row in manager.rows("The supplier (100 = highest risk)")} == {name}


def test_the_link_of_an_alert_opens_the_supplier_in_that_country(
    manager: Visitor, served: Served
) -> None:
    [(name, country)] = served.sql(
        "select supplier_name, country_name from marts.supplier_risk_current"
        " inner join marts.country_names using (country)"
        " where dimension = 'overall' and score is not null and supplier_name like '%,%'"
        " order by score, supplier_name limit 1"
    )
    settings = SupersetSettings.model_validate({"url": served.address})
    link = supplier_link(settings, name, country)
    assert link is not None
    manager.page.goto(link)
    manager.settled()
    [row] = manager.rows("The supplier (100 = highest risk)")
    assert (row[0], row[2]) == (name, country)


def test_a_buyer_sees_the_rows_of_their_categories_alone(buyer: Visitor, served: Served) -> None:
    buyer.open("overview")
    own = served.count(f"select count(distinct supplier_id) {SCORED} and band = 'high' and {OWN}")
    of_all = served.count(f"select count(distinct supplier_id) {SCORED} and band = 'high'")
    assert own != of_all, "the sample must tell a buyer from a manager"
    assert buyer.number("High now") == own
    names = {row[0] for row in buyer.rows("Riskiest suppliers (100 = highest risk)")}
    wanted = {name for (name,) in served.sql(f"select supplier_name {SCORED} and {OWN}")}
    assert names <= wanted
    assert names


@pytest.mark.parametrize(
    "path",
    ["/sqllab/", "/explore/", "/tablemodelview/list/", "/databaseview/list/", "/users/list/"],
)
def test_a_manager_gets_nowhere_else(manager: Visitor, path: str) -> None:
    answer = manager.page.request.get(path, max_redirects=0)
    assert answer.status in {302, 403, 404}, answer.status
    assert "/superset/dashboard" not in answer.headers.get("location", "")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/dataset/",
        "/api/v1/database/",
        "/api/v1/query/",
        "/api/v1/sqllab/",
        "/api/v1/security/users/",
        "/api/v1/rowlevelsecurity/",
    ],
)
def test_a_manager_is_forbidden_what_is_no_dashboard(manager: Visitor, path: str) -> None:
    assert manager.page.request.get(path).status == 403


def test_a_manager_finds_no_chart_outside_of_the_dashboards(manager: Visitor) -> None:
    assert manager.page.request.get("/api/v1/chart/").json()["count"] == 0


def token_of(visitor: Visitor) -> str:
    html = visitor.page.request.get("/superset/dashboard/overview/").text()
    return html.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]


def ask(visitor: Visitor, path: str, body: dict[str, Any]) -> Any:
    """A request that the front end would not make, from inside a session."""
    headers = {"X-CSRFToken": token_of(visitor), "Referer": visitor.page.url}
    return visitor.page.request.post(path, data=body, headers=headers)


def chart_query(served: Served, dataset: str, slug: str, **query: Any) -> dict[str, Any]:
    """What a person could send by hand: any columns of a dataset, in the name of a chart that shows
    it in a dashboard."""
    request = served.visitor("admin").page.request
    found = request.get("/api/v1/dataset/?q=(page_size:100)").json()["result"]
    dataset_id = next(row["id"] for row in found if row["table_name"] == dataset)
    charts = request.get(f"/api/v1/dashboard/{slug}/charts").json()["result"]
    asked = f"{dataset_id}__table"
    chart_id = next(c["id"] for c in charts if c["form_data"]["datasource"] == asked)
    board = request.get(f"/api/v1/dashboard/{slug}").json()["result"]["id"]
    return {
        "datasource": {"id": dataset_id, "type": "table"},
        "force": True,
        "form_data": {"slice_id": chart_id, "dashboardId": board},
        "queries": [{"metrics": [], "row_limit": 10_000, **query}],
    }


def test_a_buyer_cannot_ask_for_the_rows_of_others(buyer: Visitor, served: Served) -> None:
    columns = ["supplier_id", "supplier_category"]
    body = chart_query(served, "supplier_risk_current", "overview", columns=columns)
    answer = ask(buyer, "/api/v1/chart/data", body)
    assert answer.status == 200, answer.text()
    rows = answer.json()["result"][0]["data"]
    assert {row["supplier_category"] for row in rows} == {"electronics", "metals"}
    body["queries"][0]["extras"] = {"where": "1 = 1) or (1 = 1"}
    assert ask(buyer, "/api/v1/chart/data", body).status >= 400
    subquery = "(select max(worst_supplier_name) from marts.country_risk_current)"
    stolen = {"label": "stolen", "sqlExpression": subquery, "expressionType": "SQL"}
    body["queries"] = [{"columns": [stolen], "metrics": []}]
    assert ask(buyer, "/api/v1/chart/data", body).status >= 400


@pytest.mark.parametrize("dataset", ["country_risk_current", "llm_usage_daily", "keyword_trends"])
def test_a_buyer_is_refused_marts_without_a_category(
    buyer: Visitor, served: Served, dataset: str
) -> None:
    slug = "llm-operations" if dataset == "llm_usage_daily" else "country"
    body = chart_query(served, dataset, slug, columns=[], metrics=[], is_rowcount=True)
    body["queries"][0]["columns"] = ["as_of_date"] if dataset != "llm_usage_daily" else ["day"]
    assert ask(buyer, "/api/v1/chart/data", body).status == 403
    assert buyer.page.request.get(f"/api/v1/dashboard/{slug}").status in {403, 404}


@pytest.fixture
def analyst(served: Served) -> Visitor:
    return served.visitor("analyst")


def run_sql(visitor: Visitor, sql: str) -> Any:
    """What SQL Lab sends when somebody presses Run."""
    databases = visitor.page.request.get("/api/v1/database/").json()["result"]
    body = {"database_id": databases[0]["id"], "schema": "marts", "sql": sql, "runAsync": False}
    return ask(visitor, "/api/v1/sqllab/execute/", body)


def test_an_analyst_may_ask_the_marts_in_sql(analyst: Visitor, served: Served) -> None:
    answer = run_sql(analyst, f"select count(*) as pairs {SCORED}")
    assert answer.status == 200, answer.text()
    [(wanted,)] = served.sql(f"select count(*) {SCORED}")
    assert answer.json()["data"] == [{"pairs": wanted}]


@pytest.mark.parametrize(
    "sql",
    [
        "delete from marts.supplier_risk_current",
        "create table marts.mine (id int)",
        "with gone as (delete from marts.risk_events returning 1) select count(*) from gone",
        "select answer from llm.responses",
        "select quote from risk.findings",
        "select body from ingest.documents",
        "select rolname from pg_authid",
        "set role pipeline",
    ],
)
def test_an_analyst_can_neither_write_nor_read_other_schemas(
    analyst: Visitor, served: Served, sql: str
) -> None:
    before = served.sql("select count(*) from marts.supplier_risk_current")
    answer = run_sql(analyst, sql)
    assert answer.status >= 400, answer.text()
    assert served.sql("select count(*) from marts.supplier_risk_current") == before


@pytest.mark.parametrize("password", ["", "wrong"])
def test_nobody_comes_in_without_the_password(served: Served, password: str) -> None:
    login = {"username": "manager", "password": password, "provider": "db"}
    answer = requests.post(f"{served.address}/api/v1/security/login", json=login, timeout=30)
    assert answer.status_code in {400, 401}
    page = requests.get(f"{served.address}/superset/dashboard/overview/", timeout=30)
    assert "/login/" in page.url
    assert requests.get(f"{served.address}/api/v1/chart/", timeout=30).status_code in {401, 403}


def test_superset_listens_to_this_machine_alone_and_its_database_asks_for_the_password(
    served: Served,
) -> None:
    assert served.address.startswith("http://127.0.0.1:")
    stack = served.stack.state.read_env()
    place = f"host=127.0.0.1 port={stack['POSTGRES_PORT']} dbname=superset user=superset"
    done = subprocess.run(
        [sys.executable, "-c", "import psycopg, sys; psycopg.connect(sys.argv[1])", place],
        capture_output=True,
        text=True,
    )
    assert "password" in done.stderr


def test_after_a_refresh_of_the_marts_the_charts_show_fresh_data(
    manager: Visitor, served: Served
) -> None:
    manager.open("evidence-and-audit")
    before = manager.number("Findings")
    served.stack.publish_records(
        "later",
        {
            "text": "Siemens recalls 500 valves in Chile after a fire.",
            "supplier_hints": [{"supplier": "siemens", "country": "CL"}],
        },
    )

    def shown() -> bool:
        manager.open("evidence-and-audit")
        found = served.count("select count(*) from marts.risk_evidence")
        return found != before and manager.number("Findings") == found

    eventually("fresh numbers in the dashboard", shown, 180)


def test_again_nothing_changes(served: Served) -> None:
    pid = served.stack.pid(dashboards.NAME)
    done = served.stack.run("local", "dashboards")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing of superset/ changed" in done.stdout
    assert served.password("manager") in done.stdout.replace("\n", "")
    assert served.stack.pid(dashboards.NAME) == pid


def test_superset_comes_back_after_it_was_killed_and_nothing_else_is_restarted(
    served: Served,
) -> None:
    others = {part.name: part.stop.pid for part in served.stack.running().parts}
    killed = others.pop(dashboards.NAME)
    workers = psutil.Process(killed).children()
    psutil.Process(killed).kill()
    _, left = psutil.wait_procs(workers, timeout=60)  # until then they hold the port, and answer
    assert not left
    port = int(served.address.rpartition(":")[2])
    eventually(
        "Superset answers again",
        lambda: served.stack.pid(dashboards.NAME) != killed and dashboards.is_ready(port),
    )
    after = {part.name: part.stop.pid for part in served.stack.running().parts}
    assert {name: after[name] for name in others} == others


@pytest.mark.parametrize("name", ["SUPERSET_SECRET_KEY", "POSTGRES_BI_READER_PASSWORD"])
def test_superset_does_not_start_without_a_secret_and_names_it(served: Served, name: str) -> None:
    env = dashboards.environment(served.stack.state)
    del env[name]
    done = subprocess.run(
        [dashboards.ENVIRONMENT / "bin" / "python", "superset_config.py"],
        cwd=dashboards.SOURCE,
        env={"PATH": "/usr/bin:/bin", **env},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"{name} is not set" in done.stderr


def test_no_secret_is_in_a_log_or_a_table_of_superset(served: Served) -> None:
    values = [
        value for name, value in served.secrets.items() if "PASSWORD" in name or "KEY" in name
    ]
    values.append(served.stack.state.read_env()["POSTGRES_BI_READER_PASSWORD"])
    for log in served.stack.state.logs.glob("superset*.log"):
        text = log.read_text(errors="replace")
        assert not [value for value in values if value in text], log
    request = served.visitor("admin").page.request
    [database] = request.get("/api/v1/database/").json()["result"]
    told = request.get(f"/api/v1/database/{database['id']}/connection").text()
    assert not [value for value in values if value in told]


def test_a_broken_bundle_does_not_pass_for_a_good_one(served: Served, tmp_path: Path) -> None:
    """Superset imports a column that does not exist; only looking finds it."""
    broken = tmp_path / "superset"
    shutil.copytree(dashboards.SOURCE, broken)
    chart = broken / "bundle" / "charts" / "riskiest.yaml"
    chart.write_text(chart.read_text().replace("- band\n", "- colour\n", 1))
    provision(served, broken)
    try:
        with pytest.raises(AssertionError, match="colour"):
            assert_all_is_shown(served.visitor("manager"), "overview")
    finally:
        provision(served, dashboards.SOURCE)


def provision(served: Served, source: Path, **more: str) -> None:
    done = subprocess.run(
        [dashboards.ENVIRONMENT / "bin" / "python", source / "provision.py"],
        env={"PATH": "/usr/bin:/bin", **dashboards.environment(served.stack.state), **more},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_buyer_who_left_the_list_cannot_log_in_any_more(served: Served, tmp_path: Path) -> None:
    changed = tmp_path / "superset"
    shutil.copytree(dashboards.SOURCE, changed)
    access = yaml.safe_load((changed / "access.yaml").read_text())
    access["buyers"] = {"analyst2": ["chemicals"]}
    (changed / "access.yaml").write_text(yaml.safe_dump(access))
    login = {"username": "buyer", "password": served.password("buyer"), "provider": "db"}
    address = f"{served.address}/api/v1/security/login"
    try:
        provision(served, changed, SUPERSET_PASSWORD_ANALYST2="a-password-for-this-test")
        assert requests.post(address, json=login, timeout=30).status_code == 401
    finally:
        provision(served, dashboards.SOURCE)
    assert requests.post(address, json=login, timeout=30).status_code == 200


def test_superset_refuses_a_bundle_with_its_reason(served: Served, tmp_path: Path) -> None:
    broken = tmp_path / "superset"
    shutil.copytree(dashboards.SOURCE, broken)
    chart = broken / "bundle" / "charts" / "riskiest.yaml"
    chart.write_text(chart.read_text().replace("slice_name:", "title:", 1))
    with pytest.raises(AssertionError, match=r"refuses the bundle.*slice_name"):
        provision(served, broken)
    assert_all_is_shown(served.visitor("manager"), "overview")
