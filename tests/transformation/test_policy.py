"""The formulas of the scoring policy: the SQL of the macros against their definition in Python."""

from collections.abc import Sequence
from typing import Any

import jinja2
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestration.resources.postgres import Connection, one
from orchestration.transformation.project import FOLDER

VARS = yaml.safe_load((FOLDER / "dbt_project.yml").read_text())["vars"]
# as they come: weight x severity, where the weight is at least 0.5 ** 100
contribution = st.floats(0, 100).map(lambda x: round(x, 40))
contributions = st.lists(contribution, min_size=1, max_size=80)
with_database = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def macro(name: str, *arguments: str) -> str:
    source = (FOLDER / "macros" / "policy.sql").read_text()
    template = jinja2.Environment(autoescape=False).from_string(source, {"var": VARS.get})  # noqa: S701
    return str(getattr(template.module, name)(*arguments))


def damped_noisy_or(values: Sequence[float]) -> float:
    """The definition: each further event adds its damped share of what is left to 100."""
    total = 0.0
    for position, value in enumerate(sorted(values, reverse=True)):
        total += (100 - total) * (value / 100) * VARS["damping"] ** position
    return total


def in_sql(connection: Connection, values: Sequence[float]) -> float:
    query: Any = f"""
        select {macro("damped_noisy_or", "x", "position")} as score
        from (
            select x, row_number() over (order by x desc) - 1 as position
            from unnest(%s::double precision[]) as x
        ) as ranked
    """
    return float(one(connection, query, [list(values)])["score"])


@pytest.mark.parametrize(
    ("values", "score"),
    [
        ([64.0], 64),
        ([64.0] + [12.0] * 20, 68),
        ([12.0] * 20, 22),
    ],
)
def test_the_figures_of_the_policy_hold(
    connection: Connection, values: list[float], score: int
) -> None:
    assert round(in_sql(connection, values)) == score


@with_database
@given(contributions)
def test_sql_computes_the_definition(connection: Connection, values: list[float]) -> None:
    assert in_sql(connection, values) == pytest.approx(damped_noisy_or(values), abs=1e-6)


@with_database
@given(contributions, contribution)
def test_a_score_is_bounded_and_never_falls_with_another_event(
    connection: Connection, values: list[float], another: float
) -> None:
    before, after = in_sql(connection, values), in_sql(connection, [*values, another])
    assert max(values) - 1e-6 <= before <= 100
    assert after >= before - 1e-6


@with_database
@given(st.integers(0, 80_000), st.sampled_from([14, 30, 90, 180]))
@example(32_588, 180)
def test_decay_halves_in_a_half_life_and_never_underflows(
    connection: Connection, age: int, half_life: int
) -> None:
    query: Any = f"""
        select {macro("decay", "%s", "%s")} as now,
               {macro("decay", "(%s::int + %s)", "%s")} as later
    """
    row = one(connection, query, [age, half_life, age, half_life, half_life])
    assert 0 < row["now"] <= 1
    if age / half_life < 90:
        assert row["later"] == pytest.approx(row["now"] / 2)
