"""What one generation says against another, over exactly the documents that both assessed."""

from typing import Any

from orchestration.resources.postgres import Connection
from tests.transformation.building import (
    assert_a_full_build_gives_the_same,
    build,
    refresh,
    rows,
)
from tests.transformation.world import Finding, World

AS_OF = "2026-03-31"


def comparison(
    connection: Connection, base: int, newer: int, dimension: str = "overall"
) -> dict[str, Any]:
    """The row of acme in Germany."""
    found = list(
        connection.execute(
            "select * from marts.generation_comparison where base_generation_id = %s"
            " and generation_id = %s and dimension = %s"
            " and supplier_id = 'acme' and country = 'DE'",
            [base, newer, dimension],
        )
    )
    assert len(found) == 1
    return dict(found[0])


def compared(connection: Connection) -> list[tuple[Any, ...]]:
    """Which generations are compared over how many documents, and how the newer one stands."""
    return rows(
        connection,
        "select base_generation_id, generation_id, compared_documents, status"
        " from marts.generation_comparison where dimension = 'overall' order by 1, 2",
    )


def scores(connection: Connection, table: str, score: str) -> dict[str, float]:
    return dict(
        rows(
            connection,
            f"select dimension, {score}::float from marts.{table} where {score} is not null",
        )
    )


def test_a_shadow_is_scored_before_its_promotion_as_the_marts_score_it_after(
    world: World, connection: Connection
) -> None:
    old = world.generation("2026-01-01")
    shadow = world.generation("2026-02-01", status="shadow")
    for day, before, after in (
        ("2026-03-10", [Finding(level=3)], [Finding(level=4), Finding(level=2, event_type="leak")]),
        ("2026-03-14", [Finding(level=2)], [Finding(level=3)]),
        (
            "2026-03-31",
            [Finding(level=5, dimension="financial", event_type="insolvency")],
            [Finding(level=4, dimension="cyber_technology", event_type="breach")],
        ),
    ):
        world.assess(world.news(day, old, *before), shadow, day, *after)
    build(AS_OF)
    by_base = scores(connection, "generation_comparison", "base_score")
    by_shadow = scores(connection, "generation_comparison", "score")
    assert by_base == scores(connection, "supplier_risk_current", "score")
    assert by_base["financial"] == 57.0
    assert by_shadow["cyber_technology"] == 48.0
    assert comparison(connection, old, shadow)["status"] == "shadow"
    world.promote(shadow, AS_OF)
    refresh(AS_OF)
    assert by_shadow == scores(connection, "supplier_risk_current", "score")
    assert by_shadow == scores(connection, "generation_comparison", "score")
    assert comparison(connection, old, shadow)["status"] == "live"


def test_what_is_gained_lost_and_agreed_on_is_counted_in_the_common_documents(
    world: World, connection: Connection
) -> None:
    old, new = world.generation("2026-01-01"), world.generation("2026-02-01")
    world.supplier("acme", category="metals")
    fire, flood = Finding(level=4), Finding(level=2, event_type="flood")
    world.assess(world.news(AS_OF, old, fire), new, AS_OF, fire)
    world.assess(world.news(AS_OF, old, Finding(level=2)), new, AS_OF, flood)
    world.assess(world.news(AS_OF, old, Finding(level=0)), new, AS_OF)
    world.assess(world.news(AS_OF, old, Finding(level=3)), new, AS_OF, Finding(verified=False))
    world.news(AS_OF, old, Finding(level=5, dimension="financial"))
    retracted = world.mention(AS_OF)
    world.assess(retracted, old, AS_OF, Finding(level=1))
    taken_back = world.assess(retracted, new, AS_OF, Finding(level=1), Finding(level=5))
    world.retract(AS_OF, [taken_back])
    build(AS_OF)
    found = comparison(connection, old, new, "operational")
    counts = {
        "base_findings": 4,
        "findings": 4,
        "gained_findings": 1,
        "lost_findings": 2,
        "compared_documents": 5,
        "judged_documents": 4,
        "agreed_documents": 2,
    }
    assert {name: found[name] for name in counts} == counts
    assert float(found["agreement"]) == 0.5
    assert (found["model"], found["base_model"]) == ("model-2", "model-1")
    assert (found["prompt_version"], found["base_prompt_version"]) == ("v1", "v1")
    assert (found["supplier_name"], found["supplier_category"]) == ("ACME", "metals")
    assert found["score_difference"] == found["score"] - found["base_score"]
    overall = comparison(connection, old, new)
    assert {name: overall[name] for name in counts} == counts
    assert overall["base_score"] == found["base_score"]
    financial = comparison(connection, old, new, "financial")
    assert financial["base_score"] is None, "only one of them read that document"
    assert (financial["base_band"], financial["band"]) == ("no signal", "no signal")
    assert (financial["score_difference"], financial["agreement"]) == (0, None)


def test_a_third_generation_is_compared_with_each_over_what_both_read(
    world: World, connection: Connection
) -> None:
    first, second, third = (world.generation(f"2026-01-0{day}") for day in (1, 2, 3))
    one = world.news(AS_OF, first, Finding(level=4))
    world.assess(one, second, AS_OF, Finding(level=2))
    world.assess(one, third, AS_OF, Finding(level=5))
    world.assess(world.news(AS_OF, first), third, AS_OF)
    build(AS_OF)
    assert compared(connection) == [
        (first, second, 1, "live"),
        (first, third, 2, "live"),
        (second, third, 1, "live"),
    ]
    assert {
        pair: [float(comparison(connection, *pair)[name]) for name in ("base_score", "score")]
        for pair in ((first, second), (first, third), (second, third))
    } == {
        (first, second): [48.0, 21.0],
        # two documents of one publisher are one event
        (first, third): [48.0, 57.0],
        (second, third): [21.0, 57.0],
    }


def test_a_refresh_compares_what_changed_and_gives_the_rows_of_a_full_build(
    world: World, connection: Connection
) -> None:
    old = world.generation("2026-01-01")
    shadow = world.generation("2026-02-01", status="shadow")
    first, second = (world.news("2026-03-30", old, Finding(level=4)) for _ in range(2))
    world.assess(first, shadow, "2026-03-30", Finding(level=5))
    world.assess(
        world.news("2026-03-30", old, supplier="beta"), shadow, "2026-03-30", Finding(level=1)
    )
    build("2026-03-30")
    refresh(AS_OF)
    written = "select xmin::text from marts.generation_comparison where supplier_id = 'beta'"
    beta = rows(connection, written)

    world.assess(second, shadow, AS_OF, Finding(level=2))
    refresh(AS_OF)
    assert comparison(connection, old, shadow)["compared_documents"] == 2
    assert rows(connection, written) == beta, "nothing happened to it"
    assert_a_full_build_gives_the_same(connection, AS_OF)

    world.supersede(first, world.news(AS_OF, old, Finding(level=0)), AS_OF)
    refresh(AS_OF)
    corrected = comparison(connection, old, shadow)
    assert corrected["compared_documents"] == 1
    assert corrected["score"] < corrected["base_score"]

    world.promote(shadow, AS_OF)
    refresh(AS_OF)
    assert comparison(connection, old, shadow)["status"] == "live"
    assert_a_full_build_gives_the_same(connection, AS_OF)

    world.discard(shadow, AS_OF)
    refresh(AS_OF)
    assert comparison(connection, old, shadow) == {**corrected, "status": "discarded"}
    assert_a_full_build_gives_the_same(connection, AS_OF)


def test_nothing_that_both_read_gives_no_rows(world: World, connection: Connection) -> None:
    old, new = world.generation("2026-01-01"), world.generation("2026-02-01")
    world.news(AS_OF, old)
    newest = world.news(AS_OF, new)
    outdated = world.news(AS_OF, old)
    world.assess(outdated, new, AS_OF, Finding())
    world.supersede(outdated, newest, AS_OF)
    world.assess(world.news(AS_OF, old), new, "2026-04-01", Finding())
    build(AS_OF)
    assert compared(connection) == []
    refresh("2026-04-01")
    assert compared(connection) == [(old, new, 1, "live")]
