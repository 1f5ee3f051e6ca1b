"""A refresh redoes what changed, and gives the rows of a full build, whatever happened before."""

import pytest

from orchestration.resources.postgres import Connection
from tests.transformation.building import (
    assert_a_full_build_gives_the_same,
    build,
    differences,
    failures,
    refresh,
    rows,
    snapshot,
)
from tests.transformation.world import Finding, World

FIRST, SECOND, THIRD = "2026-03-29", "2026-03-30", "2026-03-31"


def daily(connection: Connection, dimension: str = "overall") -> dict[str, float]:
    return {
        f"{day:%m-%d}": float(score)
        for day, score in rows(
            connection,
            "select day, score from marts.supplier_risk_daily where supplier_id = 'acme'"
            f" and dimension = '{dimension}' and day >= '2026-03-29' order by day",
        )
    }


def causes(connection: Connection, supplier: str = "acme") -> dict[str, float]:
    found = rows(
        connection,
        "select change, new_events, decay, rescoring, rollbacks from marts.risk_changes"
        f" where supplier_id = '{supplier}' and dimension = 'overall'",
    )
    names = ("change", "new events", "decay", "rescoring", "rollback")
    return {name: float(value) for name, value in zip(names, found[0], strict=True) if value}


def test_a_day_shows_what_was_known_on_it_and_a_late_answer_repairs_the_days_it_missed(
    world: World, connection: Connection
) -> None:
    generation = world.generation("2026-01-01")
    world.news(FIRST, generation, Finding(level=2))
    build(SECOND)
    before = daily(connection)
    assert before == {"03-29": 21.0, "03-30": 20.5}
    late = world.mention(FIRST, dated="2026-03-20")
    world.news(THIRD, generation, Finding(level=5, event_type="flood"))
    refresh(THIRD)
    today = daily(connection)
    assert (today["03-29"], today["03-30"]) == (21.0, 20.5), "what came later moved an earlier day"
    assert today["03-31"] > 57
    world.assess(late, generation, THIRD, Finding(level=4, event_type="quake"))
    refresh(THIRD)
    repaired = daily(connection)
    assert repaired["03-29"] > 46
    assert repaired["03-31"] > today["03-31"]
    assert_a_full_build_gives_the_same(connection, THIRD)


def test_a_refresh_rewrites_only_the_pairs_and_days_that_something_touched(
    world: World, connection: Connection
) -> None:
    generation = world.generation("2026-01-01")
    world.news("2026-03-01", generation, supplier="acme")
    world.news("2026-03-01", generation, supplier="beta")
    build(THIRD)
    written = "select supplier_id, day, xmin::text from marts.supplier_risk_daily order by 1, 2, 3"
    before = set(rows(connection, written))
    world.news(SECOND, generation, supplier="acme")
    refresh(THIRD)
    touched = {(row[0], f"{row[1]}") for row in set(rows(connection, written)) - before}
    assert touched == {("acme", SECOND), ("acme", THIRD)}


def test_a_rescored_finding_moves_the_score_by_rescoring_and_a_rollback_by_rollback(
    world: World, connection: Connection
) -> None:
    old = world.generation("2026-01-01")
    mention = world.news("2026-03-01", old, Finding(level=4), dated="2026-03-01")
    build("2026-03-28")
    assert set(causes(connection)) == {"change", "decay"}
    new = world.generation("2026-03-29")
    assessment = world.assess(mention, new, "2026-03-29", Finding(level=2))
    refresh("2026-03-29")
    rescored = snapshot(connection)
    moved = causes(connection)
    assert moved["rescoring"] < 0
    assert moved["change"] == pytest.approx(moved["decay"] + moved["rescoring"])
    retraction = world.retract("2026-03-29", [assessment])
    refresh("2026-03-29")
    assert set(causes(connection)) == {"change", "decay"}, "it was back before the evening"
    assert_a_full_build_gives_the_same(connection, "2026-03-29")
    world.undo(retraction, "2026-03-29")
    refresh("2026-03-29")
    assert differences(rescored, snapshot(connection)) == {}
    world.retract("2026-04-07", [assessment])
    refresh("2026-04-07")
    moved = causes(connection)
    assert moved["rollback"] > 0
    assert moved["change"] == pytest.approx(moved["decay"] + moved["rollback"])
    assert_a_full_build_gives_the_same(connection, "2026-04-07")


def test_a_generation_counts_from_its_promotion_to_its_discard(
    world: World, connection: Connection
) -> None:
    old = world.generation("2026-01-01")
    mention = world.news("2026-03-01", old, Finding(level=2))
    shadow = world.generation("2026-03-10", status="shadow")
    world.assess(mention, shadow, "2026-03-10", Finding(level=5))
    build("2026-03-20")
    assert causes(connection).keys() == {"change", "decay"}
    world.promote(shadow, "2026-03-25")
    refresh("2026-03-25")
    assert causes(connection)["rescoring"] > 0
    world.discard(shadow, "2026-04-02")
    refresh("2026-04-02")
    assert causes(connection)["rollback"] < 0
    assert_a_full_build_gives_the_same(connection, "2026-04-02")


def test_a_corrected_document_and_a_renamed_supplier_reach_the_marts(
    world: World, connection: Connection
) -> None:
    generation = world.generation("2026-01-01")
    world.supplier("acme", category="metals", tier=1)
    first = world.news("2026-03-01", generation, Finding(level=5))
    build(SECOND)
    corrected = world.news(THIRD, generation, Finding(level=0))
    world.supersede(first, corrected, THIRD)
    world.supplier("acme", category="pumps", tier=1)
    refresh(THIRD)
    assert causes(connection)["new events"] < -50
    assert rows(
        connection,
        "select distinct supplier_category from marts.supplier_risk_daily"
        " union select distinct supplier_category from marts.risk_changes",
    ) == [("pumps",)]
    assert_a_full_build_gives_the_same(connection, THIRD)


def test_a_late_live_answer_repairs_its_days_though_a_shadow_answered_first(
    world: World, connection: Connection
) -> None:
    live = world.generation("2026-01-01")
    shadow = world.generation("2026-01-02", status="shadow")
    mention = world.mention(FIRST)
    world.assess(mention, shadow, FIRST, Finding(level=5))
    build(SECOND)
    assert daily(connection) == {}
    world.assess(mention, live, THIRD, Finding(level=2))
    refresh(THIRD)
    assert set(daily(connection)) == {"03-29", "03-30", "03-31"}
    world.promote(shadow, "2026-04-01")
    refresh("2026-04-01")
    assert_a_full_build_gives_the_same(connection, "2026-04-01")


def test_a_correction_after_a_rescoring_is_news_and_no_rollback(
    world: World, connection: Connection
) -> None:
    old, new = world.generation("2026-01-01"), world.generation("2026-01-02")
    mention = world.news("2026-03-01", old)
    world.assess(mention, new, FIRST, Finding(level=5))
    corrected = world.news(SECOND, new, Finding(level=0))
    world.supersede(mention, corrected, SECOND)
    build(THIRD)
    assert set(causes(connection)) == {"change", "decay", "new events"}


def test_a_supplier_that_left_the_master_leaves_its_name_and_category(
    world: World, connection: Connection
) -> None:
    world.supplier("acme", category="metals")
    world.news("2026-03-01", world.generation("2026-01-01"))
    build(THIRD)
    world.remove_supplier("acme")
    refresh(THIRD)
    shown = "select distinct supplier_name, supplier_category from marts.supplier_risk_daily"
    assert rows(connection, shown) == [("acme", None)]
    assert_a_full_build_gives_the_same(connection, THIRD)


def test_a_full_build_that_did_not_end_is_done_again(world: World, connection: Connection) -> None:
    world.news("2026-03-01", world.generation("2026-01-01"))
    build(THIRD)
    good = snapshot(connection)
    half = ["run", "--select", "intermediate"]
    assert failures(*half, as_of=THIRD, event_gap_days="1") == []
    refresh(THIRD)
    assert world.read("select is_full from intermediate.int_refresh") == [(True,)]
    assert differences(good, snapshot(connection)) == {}


def test_a_build_of_some_models_does_not_pass_for_a_whole_one(
    world: World, connection: Connection
) -> None:
    generation = world.generation("2026-01-01")
    world.news("2026-03-01", generation)
    build(THIRD)
    world.news(THIRD, generation, Finding(event_type="flood"))
    assert failures("run", "--select", "intermediate", "refresh", as_of=THIRD) == []
    refresh(THIRD)
    assert_a_full_build_gives_the_same(connection, THIRD)


def test_a_new_day_is_the_same_policy_and_no_reason_to_build_everything_anew(world: World) -> None:
    world.news("2026-03-01", world.generation("2026-01-01"), Finding(level=4))
    build(SECOND)
    state = "select is_full, is_new_day, policy_version from intermediate.int_refresh"
    [(_, _, policy)] = world.read(state)
    refresh(THIRD)
    assert world.read(state) == [(False, True, policy)]


def test_another_policy_builds_everything_anew_without_being_told(
    world: World, connection: Connection
) -> None:
    world.news("2026-03-01", world.generation("2026-01-01"), Finding(level=4))
    build(THIRD)
    refresh(THIRD)
    is_full = "select is_full from intermediate.int_refresh"
    assert world.read(is_full) == [(False,)]
    before = daily(connection)
    refresh(THIRD, corroboration_factor="1.5", worst_share="0.5")
    assert world.read(is_full) == [(True,)]
    assert daily(connection) == before, "one dimension and one publisher: neither number matters"
    refresh(SECOND)
    assert world.read(is_full) == [(True,)], "an earlier day is no refresh of a later one"
    world.change("drop table marts.risk_changes")
    refresh(SECOND)
    assert world.read(is_full) == [(True,)], "a table that is gone cannot be repaired"
    world.change("update intermediate.last_refresh set read_to = read_to + 1e9")
    refresh(SECOND)
    assert world.read(is_full) == [(True,)], "transactions are counted anew in another cluster"


def test_a_level_outside_the_scale_fails_a_test_and_the_marts_keep_their_last_good_state(
    world: World, connection: Connection
) -> None:
    generation = world.generation("2026-01-01")
    world.news("2026-03-01", generation)
    build(THIRD)
    good = snapshot(connection)
    world.change("alter table risk.findings drop constraint findings_level_check")
    world.news(THIRD, generation, Finding(level=6))
    failed = failures("build", "--exclude-resource-type", "unit_test", as_of=THIRD)
    assert any("accepted_values_stg_findings_level" in name for name in failed), failed
    assert differences(good, snapshot(connection)) == {}
    world.change("update risk.findings set level = 5 where level = 6")
    refresh(THIRD)
    assert_a_full_build_gives_the_same(connection, THIRD)
