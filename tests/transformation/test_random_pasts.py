"""Whatever happened, in whatever order: marts refreshed step by step are those of a full build."""

import random
from datetime import date, timedelta

import pytest

from orchestration.resources.postgres import Connection
from tests.transformation.building import assert_a_full_build_gives_the_same, build, refresh
from tests.transformation.world import Finding, Mention, World


def live_through(world: World, connection: Connection, seed: int, steps: int) -> str:
    """A random past, refreshed after each of its steps; returns its last day."""
    chance = random.Random(seed)  # noqa: S311
    day = date(2026, 3, 1)
    generations = [world.generation("2026-01-01")]
    mentions: list[tuple[Mention, str]] = []
    waiting: list[Mention] = []
    assessments: list[int] = []
    retractions: list[int] = []
    shadows: list[int] = []

    def finding() -> Finding:
        return Finding(
            level=chance.choice([0, 1, 2, 3, 4, 5]),
            dimension=chance.choice(["operational", "financial"]),
            event_type=chance.choice(["fire", "strike"]),
            status=chance.choice(["alleged", "confirmed", "resolved"]),
            event_date=chance.choice([None, f"{day - timedelta(days=chance.randrange(40))}"]),
            quote=chance.choice(["It burns.", "All burns."]),
            verified=chance.random() < 0.9,
        )

    def assess(mention: Mention) -> None:
        findings = [finding() for _ in range(chance.randrange(3))]
        assessments.append(world.assess(mention, generations[-1], f"{day}", *findings))

    for step in range(steps):
        day += timedelta(days=chance.choice([0, 0, 1, 1, 3, 9]))
        for _ in range(chance.randrange(1, 5)):
            supplier, country = chance.choice(["acme", "beta"]), chance.choice(["DE", "MX"])
            mention = world.mention(
                f"{day}", supplier, country, chance.choice(["press", "cisa.gov/ics-advisories"])
            )
            mentions.append((mention, f"{day}"))
            if chance.random() < 0.2:
                waiting.append(mention)
            else:
                assess(mention)
        for mention in [m for m in waiting if chance.random() < 0.4]:
            waiting.remove(mention)
            assess(mention)
        if chance.random() < 0.3 and not waiting:
            generations.append(world.generation(f"{day}"))
            for mention, _ in chance.sample(mentions, len(mentions) // 2):
                assess(mention)
        if chance.random() < 0.3 and assessments:
            chosen = chance.sample(assessments, max(1, len(assessments) // 3))
            retractions.append(world.retract(f"{day}", chosen))
        if chance.random() < 0.3:
            world.supplier("acme", category=chance.choice(["metals", "pumps"]))
        elif chance.random() < 0.3:
            world.remove_supplier("acme")
        if chance.random() < 0.2 and len(generations) > 1:
            world.discard(generations.pop(0), f"{day}")
        if chance.random() < 0.2 and not waiting:
            shadow = world.generation(f"{day}", status="shadow")
            for mention, _ in chance.sample(mentions, len(mentions) // 2):
                world.assess(mention, shadow, f"{day}", finding())
            shadows.append(shadow)
        elif shadows:
            world.promote(shadows.pop(), f"{day}")
        if chance.random() < 0.3 and retractions:
            world.undo(retractions.pop(), f"{day}")
        if chance.random() < 0.3 and len(mentions) > 2:
            (old, _), (new, _) = chance.sample(mentions, 2)
            world.supersede(old, new, f"{day}")
        world.brief(f"{day}", generations[-1], "acme", "DE")
        (build if step == 0 else refresh)(f"{day}")
    return f"{day}"


def test_a_random_past_refreshed_step_by_step_gives_what_a_full_build_gives(
    world: World, connection: Connection
) -> None:
    last = live_through(world, connection, seed=7, steps=6)
    assert_a_full_build_gives_the_same(connection, last)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_longer_random_past_gives_what_a_full_build_gives(
    world: World, connection: Connection, seed: int
) -> None:
    last = live_through(world, connection, seed, steps=10)
    assert_a_full_build_gives_the_same(connection, last)
