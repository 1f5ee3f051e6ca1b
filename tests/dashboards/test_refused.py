"""What people are refused, by Superset or by PostgreSQL: other rows, other schemas, other pages."""

from typing import Any

import pytest
import requests

from tests.dashboards.evil_sql import EVIL
from tests.dashboards.looking import Visitor
from tests.dashboards.served import OWN, SCORED, Served

pytestmark = pytest.mark.slow


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


def sql_column(sql: str) -> dict[str, str]:
    return {"label": "stolen", "sqlExpression": sql, "expressionType": "SQL"}


@pytest.mark.parametrize("evil", EVIL)
def test_a_buyer_cannot_have_sql_of_their_own_run(
    buyer: Visitor, served: Served, evil: str
) -> None:
    body = chart_query(served, "supplier_risk_current", "overview", columns=[sql_column(evil)])
    answer = ask(buyer, "/api/v1/chart/data", body)
    assert answer.status >= 400, answer.text()


@pytest.mark.parametrize(
    "query",
    [
        {"columns": [], "metrics": [sql_column(f"max({EVIL[0]})")]},
        {"columns": ["supplier_id"], "extras": {"where": f"{EVIL[0]} <> ''"}},
        {"columns": [], "metrics": ["risk"], "extras": {"having": f"max({EVIL[0]}) <> ''"}},
        {"columns": ["supplier_id"], "orderby": [[sql_column(EVIL[0]), True]]},
        {
            "columns": ["supplier_id"],
            "filters": [{"col": sql_column(EVIL[0]), "op": "IS NOT NULL"}],
        },
        {
            "columns": ["supplier_id"],
            "metrics": ["risk"],
            "series_columns": [sql_column(EVIL[0])],
            "series_limit": 5,
        },
        {
            "columns": ["supplier_id"],
            "metrics": ["risk"],
            "series_limit": 5,
            "series_columns": ["supplier_id"],
            "series_limit_metric": sql_column(f"max({EVIL[0]})"),
        },
        {"columns": [sql_column(EVIL[0])], "is_rowcount": True},
    ],
)
@pytest.mark.parametrize("result_type", ["full", "samples", "drill_detail"])
def test_a_buyer_cannot_have_it_run_wherever_it_stands(
    buyer: Visitor, served: Served, query: dict[str, Any], result_type: str
) -> None:
    body = chart_query(served, "supplier_risk_current", "overview", **query)
    answer = ask(buyer, "/api/v1/chart/data", {**body, "result_type": result_type})
    others = {name for (name,) in served.sql(f"select supplier_name {SCORED} and not ({OWN})")}
    assert not [name for name in others if name in answer.text()]
    assert answer.status >= 400 or "ts_stat" not in answer.text().lower(), answer.text()


def test_a_manager_is_refused_it_as_well_and_told_why(manager: Visitor, served: Served) -> None:
    body = chart_query(
        served, "supplier_risk_current", "overview", columns=[sql_column("current_setting('port')")]
    )
    answer = ask(manager, "/api/v1/chart/data", body)
    assert answer.status == 403
    assert "CURRENT_SETTING('port')" in answer.text()
    assert "Ask an analyst" in answer.text()


@pytest.mark.parametrize("dataset", ["country_risk_current", "llm_usage_daily", "keyword_trends"])
def test_a_buyer_is_refused_marts_without_a_category(
    buyer: Visitor, served: Served, dataset: str
) -> None:
    slug = "llm-operations" if dataset == "llm_usage_daily" else "country"
    body = chart_query(served, dataset, slug, columns=[], metrics=[], is_rowcount=True)
    body["queries"][0]["columns"] = ["as_of_date"] if dataset != "llm_usage_daily" else ["day"]
    assert ask(buyer, "/api/v1/chart/data", body).status == 403
    assert buyer.page.request.get(f"/api/v1/dashboard/{slug}").status in {403, 404}


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
