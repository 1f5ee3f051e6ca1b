"""What is told and what is not: against what was seen last, once, with its cause."""

from typing import Any

import pytest

from orchestration.errors import SettingsError
from orchestration.publishing.alerts_noticing import FIRST_LOOK, Look, look
from orchestration.resources.postgres import Connection, connect
from orchestration.settings import AlertSettings, PostgresSettings, SupersetSettings
from tests.migrations.test_roles import connect_as
from tests.publishing.looking import says, seen, told
from tests.publishing.marts import Marts


def let_days_pass(database: PostgresSettings, days: int) -> None:
    with connect_as(database, "migrator") as owner:
        owner.execute(
            "update risk.alerts set created_at = created_at - make_interval(days => %s),"
            " dedupe_key = dedupe_key || ' earlier'",
            [days],
        )


def test_the_first_look_tells_nothing_and_takes_what_is_there_as_known(
    connection: Connection, marts: Marts
) -> None:
    marts.pair("acme", 90)
    marts.event("acme", "2026-03-30")
    assert seen(connection, marts) == Look(0, FIRST_LOOK)
    assert seen(connection, marts) == Look(0)
    assert told(connection) == []


def test_a_pair_that_enters_a_higher_band_is_told_once_with_evidence_and_link(
    connection: Connection, marts: Marts
) -> None:
    marts.pair("acme", 30)
    seen(connection, marts)
    marts.pair("acme", 80, new_events=50)
    marts.event("acme", "2026-03-30", highest_level=4)
    marts.refreshed()
    superset = SupersetSettings(url="https://bi.example/")
    assert look(connection, AlertSettings(), superset) == Look(1)
    (alert,) = says(connection)
    assert (alert["kind"], alert["supplier_id"], alert["country"]) == ("band", "acme", "MX")
    assert alert["dedupe_key"] == "band:acme@MX:critical:2026-03-31:new events"
    about = alert["says"]
    assert (about["band_before"], about["band"]) == ("medium", "critical")
    assert (about["score_before"], about["score"]) == (30, 80)
    assert about["cause"] == "new events"
    assert about["evidence"] == {
        "quote": "It burns.",
        "title": "News",
        "url": "https://news.example/fire",
    }
    assert about["country_name"] == "Mexico"
    assert about["link"].startswith(
        "https://bi.example/superset/dashboard/supplier/?native_filters"
    )
    assert about["command"] == "supplier-risk explain acme MX"
    assert seen(connection, marts) == Look(0)
    assert alert["deliveries"] == []


def test_a_fall_and_a_rise_below_the_lowest_band_are_not_told(
    connection: Connection, marts: Marts
) -> None:
    marts.pair("acme", 90)
    marts.pair("beta", None)
    seen(connection, marts)
    marts.pair("acme", 60)
    marts.pair("beta", 30)
    assert seen(connection, marts).alerts == 0
    marts.pair("beta", None)
    seen(connection, marts, lowest_band="low")
    marts.pair("beta", 5)
    assert seen(connection, marts, lowest_band="low").alerts == 1


def test_a_pair_that_was_never_seen_had_no_signal(connection: Connection, marts: Marts) -> None:
    seen(connection, marts)
    marts.pair("acme", 60)
    seen(connection, marts)
    assert told(connection) == ["band:acme@MX:high"]
    assert says(connection)[0]["says"]["band_before"] == "no signal"


def test_a_pair_that_flaps_is_not_told_again_within_a_week(
    connection: Connection, marts: Marts, database: PostgresSettings
) -> None:
    marts.pair("acme", 40)
    seen(connection, marts)
    for score in (60, 40, 60, 40, 60):
        marts.pair("acme", score)
        seen(connection, marts)
    assert told(connection) == ["band:acme@MX:high"]
    marts.pair("acme", 80)
    seen(connection, marts)
    assert told(connection) == ["band:acme@MX:high", "band:acme@MX:critical"]
    let_days_pass(database, 8)
    assert seen(connection, marts).alerts == 0, "what stands is not told again"
    marts.pair("acme", 40)
    seen(connection, marts)
    marts.pair("acme", 60)
    assert seen(connection, marts).alerts == 1


def test_a_rise_by_another_prompt_does_not_hide_one_by_news_within_the_week(
    connection: Connection, marts: Marts
) -> None:
    marts.pair("acme", 40)
    seen(connection, marts)
    for cause in ("rescoring", "new_events", "rescoring"):
        causes: dict[str, Any] = {cause: 40}
        marts.pair("acme", 80, **causes)
        seen(connection, marts)
        marts.pair("acme", 40)
        seen(connection, marts)
    assert [row["says"]["cause"] for row in says(connection)] == ["rescoring", "new events"]


def test_marts_of_a_day_of_the_past_are_not_compared_with(
    connection: Connection, marts: Marts
) -> None:
    """Built with the variable as_of_date, to see how things stood."""
    marts.pair("acme", 40)
    seen(connection, marts)
    marts.execute("update intermediate.last_refresh set as_of_date = date '2026-02-01'")
    marts.pair("acme", 80)
    assert "earlier day" in seen(connection, marts).reason
    marts.execute("update intermediate.last_refresh set as_of_date = date '2026-04-01'")
    marts.pair("acme", 40)
    assert seen(connection, marts) == Look(0)
    assert told(connection) == []


def test_the_band_that_is_compared_with_is_that_of_the_last_look_not_of_a_week_before(
    connection: Connection, marts: Marts
) -> None:
    """A rollback took the score away; what comes after it is a rise, whatever stood a week ago."""
    marts.pair("acme", 80)
    marts.pair("beta", 80)
    seen(connection, marts)
    marts.pair("acme", None, rollbacks=-80)
    marts.forget_pair("beta")
    seen(connection, marts)
    marts.pair("acme", 80)
    marts.pair("beta", 60, new_events=10)
    seen(connection, marts)
    assert told(connection) == ["band:acme@MX:critical", "band:beta@MX:high"]
    assert {row["says"]["band_before"] for row in says(connection)} == {"no signal"}


@pytest.mark.parametrize(
    ("before", "after", "cause"),
    [
        ({"new_events": 30}, {"new_events": 30, "rescoring": 20}, "rescoring"),
        ({"new_events": 30}, {"new_events": 30, "rollbacks": 20}, "rollback"),
        ({"rescoring": 30}, {"new_events": 20, "rescoring": 30}, "new events"),
        ({"rollbacks": -20}, {"new_events": 10}, "new events"),
        ({}, {"new_events": 5, "rescoring": 25}, "rescoring"),
        ({"new_events": 40}, {"new_events": 40, "decay": -2}, "new events"),
    ],
)
def test_a_rise_says_what_caused_it_since_the_last_look(
    connection: Connection,
    marts: Marts,
    before: dict[str, Any],
    after: dict[str, Any],
    cause: str,
) -> None:
    """Not what moved it most in a week: news of days ago must not hide today's new prompt."""
    marts.pair("acme", 40, **before)
    seen(connection, marts)
    marts.pair("acme", 80, **after)
    seen(connection, marts)
    assert says(connection)[0]["says"]["cause"] == cause


def test_what_another_scoring_policy_moves_is_no_news(connection: Connection, marts: Marts) -> None:
    marts.pair("acme", 40)
    marts.pair("beta", 40)
    seen(connection, marts)
    marts.policy = "another"
    marts.execute("update intermediate.last_refresh set policy_version = 'another'")
    marts.pair("acme", 80, new_events=10)
    seen(connection, marts)
    marts.pair("beta", 80, new_events=10)
    seen(connection, marts)
    assert [row["says"]["cause"] for row in says(connection)] == ["policy", "new events"]


def test_a_lower_limit_does_not_tell_what_was_there_before(
    connection: Connection, marts: Marts
) -> None:
    marts.pair("acme", 40)
    marts.event("acme", "2026-03-20", highest_level=3)
    seen(connection, marts)
    assert seen(connection, marts, lowest_band="low", lowest_event_level=1).alerts == 0


def test_a_band_that_there_is_not_is_named_and_nothing_is_remembered(
    connection: Connection, marts: Marts
) -> None:
    with pytest.raises(SettingsError, match="no band 'severe'; there are low, medium, high"):
        seen(connection, marts, lowest_band="severe")
    assert seen(connection, marts) == Look(0, FIRST_LOOK)


def test_the_number_of_queries_does_not_grow_with_the_pairs(
    connection: Connection, marts: Marts, database: PostgresSettings
) -> None:
    seen(connection, marts)

    def queries_of_a_look() -> int:
        count = 0
        with connect(database, "counted") as own:
            execute = own.execute

            def counted(*arguments: Any, **more: Any) -> Any:
                nonlocal count
                count += 1
                return execute(*arguments, **more)

            own.execute = counted  # type: ignore[method-assign]
            marts.refreshed()
            look(own, AlertSettings(), SupersetSettings())
        return count

    few = queries_of_a_look()
    for number in range(100):
        marts.pair(f"s{number}", 80)
        marts.event(f"s{number}", "2026-03-30")
    assert queries_of_a_look() <= few + 1
    assert len(says(connection)) == 200
