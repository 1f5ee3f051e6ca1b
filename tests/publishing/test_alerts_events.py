"""Which severe events are told: each once, also when its id changes."""

from datetime import timedelta

import pytest
import yaml

from orchestration.publishing.alerts_noticing import LONGEST_EVENT_DAYS
from orchestration.resources.postgres import Connection
from orchestration.transformation.project import FOLDER
from tests.publishing.looking import says, seen, told
from tests.publishing.marts import TODAY, Marts


def test_a_severe_event_is_told_once_and_a_milder_or_forgotten_one_never(
    connection: Connection, marts: Marts
) -> None:
    seen(connection, marts)
    marts.event("acme", "2026-03-30", "2026-03-31")
    marts.event("beta", "2026-03-30", highest_level=4)
    marts.event("gamma", "2016-03-30", contribution=0)
    seen(connection, marts)
    seen(connection, marts)
    assert told(connection) == ["event:acme-fire-2026-03-30"]
    about = says(connection)[0]["says"]
    assert (about["level"], about["first_seen_on"], about["cause"]) == (
        5,
        "2026-03-30",
        "new events",
    )


@pytest.mark.parametrize("level_before", [3, 4])
def test_an_event_that_becomes_severe_is_told(
    connection: Connection, marts: Marts, level_before: int
) -> None:
    marts.event("acme", "2026-03-30", highest_level=level_before)
    seen(connection, marts)
    marts.forget_events()
    marts.event("acme", "2026-03-30")
    assert seen(connection, marts).alerts == 1


@pytest.mark.parametrize(
    ("first", "last", "is_new"),
    [
        ("2026-03-18", "2026-03-21", False),  # an earlier document of it arrived
        ("2026-03-10", "2026-03-13", False),
        ("2026-03-28", "2026-03-29", False),
        ("2026-03-10", "2026-03-12", True),
        ("2026-03-29", "2026-03-29", True),
    ],
)
def test_an_event_whose_id_changed_is_the_same_within_seven_days(
    connection: Connection, marts: Marts, first: str, last: str, is_new: bool
) -> None:
    seen(connection, marts)
    marts.event("acme", "2026-03-20", "2026-03-21")
    assert seen(connection, marts).alerts == 1
    marts.forget_events()
    marts.event("acme", first, last)
    assert seen(connection, marts).alerts == int(is_new)
    marts.forget_events()
    assert seen(connection, marts).alerts == 0
    marts.event("acme", first, last)
    assert seen(connection, marts).alerts == 0, "what was taken back and came again is no news"


@pytest.mark.parametrize(
    "other", [{"country": "DE"}, {"dimension": "financial"}, {"event_type": "flood"}]
)
def test_an_event_elsewhere_or_of_another_kind_is_another_one(
    connection: Connection, marts: Marts, other: dict[str, str]
) -> None:
    seen(connection, marts)
    marts.event("acme", "2026-03-20")
    seen(connection, marts)
    marts.event("acme", "2026-03-20", event_id="other", **other)
    assert seen(connection, marts).alerts == 1


def test_a_chain_of_minor_news_does_not_hide_a_severe_event_of_months_later(
    connection: Connection, marts: Marts
) -> None:
    seen(connection, marts)
    marts.event("acme", "2025-10-01", "2025-10-25")
    assert seen(connection, marts).alerts == 1
    for week in range(20, 0, -1):
        day = (TODAY - timedelta(weeks=week)).isoformat()
        marts.event("acme", day, highest_level=1)
        assert seen(connection, marts).alerts == 0
    marts.event("acme", "2026-03-26", event_id="new")
    assert seen(connection, marts).alerts == 1
    assert seen(connection, marts).alerts == 0


def test_an_event_that_grew_beyond_what_one_may_be_is_told_once(
    connection: Connection, marts: Marts
) -> None:
    """It overlaps what was seen, and cannot be put together with it."""
    marts.event("acme", "2026-02-20", "2026-03-10", highest_level=2)
    seen(connection, marts)
    marts.forget_events()
    marts.event("acme", "2026-03-05", "2026-03-30")
    assert [seen(connection, marts).alerts for _ in range(2)] == [1, 0]


def test_the_longest_event_is_that_of_the_scoring_policy() -> None:
    project = yaml.safe_load((FOLDER / "dbt_project.yml").read_text())
    assert project["vars"]["event_span_days"] == LONGEST_EVENT_DAYS
