"""What people see: every chart of every dashboard, numbers equal to SQL, filters, links."""

import pytest

from orchestration.publishing.links import supplier_link
from orchestration.settings import SupersetSettings
from tests.dashboards.looking import Visitor
from tests.dashboards.served import EVERY, OF_BUYERS, SCORED, Served, assert_all_is_shown
from tests.local.stack import eventually

pytestmark = pytest.mark.slow


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
    critical = "select supplier_id from marts.risk_changes where dimension = 'overall' and band"
    newly = f"{critical}_now = 'critical' except {critical}_before = 'critical'"
    assert manager.number("Newly critical") == served.count(
        f"select count(*) from ({newly}) as suppliers"
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
    batches = manager.rows("Reconciliation: received = the sum of the states")
    wanted = served.sql(
        "select batch_id, received::text, scored::text from marts.pipeline_reconciliation"
        " order by batch_id desc"
    )
    assert [tuple(batch[:3]) for batch in batches] == wanted


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


def test_a_click_on_a_dimension_leaves_what_shows_the_overall_risk(manager: Visitor) -> None:
    manager.open("supplier")
    title = "The supplier (100 = highest risk)"
    shown = manager.rows(title)
    ranks = "Rank in its category (1 = the riskiest; score: 100 = highest)"
    [dimension] = [row[0] for row in manager.rows(ranks) if row[0] != "Overall"][:1]
    scores = manager.chart("Scores in detail (100 = highest risk)")
    scores.locator("tbody td").get_by_text(dimension, exact=True).first.click()
    eventually(
        "the click filters", lambda: {row[0] for row in manager.rows(ranks)} == {dimension}, 20
    )
    assert manager.settled()["empty"] == []
    assert manager.rows(title) == shown


@pytest.mark.parametrize(
    ("slug", "title", "across"),
    [
        ("overview", "What changed this week, by cause (points of 100 = highest risk)", 0.68),
        ("country", "News against baseline (100 = highest risk)", 0.18),
        ("supplier", "Beside its category: risk by dimension (100 = highest risk)", 0.4),
    ],
)
def test_a_click_on_a_bar_that_lies_filters_nothing(
    manager: Visitor, slug: str, title: str, across: float
) -> None:
    """Superset 6.1 would filter by the number of the bar."""
    manager.open(slug)
    box = manager.chart(title).locator("canvas").bounding_box()
    assert box is not None
    for down in (0.34, 0.36, 0.38):
        x, y = box["x"] + across * box["width"], box["y"] + down * box["height"]
        manager.page.mouse.click(x, y)
        manager.page.wait_for_timeout(700)  # Superset waits whether a second click follows
        assert manager.page.locator(".ant-tag").count() == 0


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
