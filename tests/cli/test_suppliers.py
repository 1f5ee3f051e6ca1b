"""`suppliers candidates`, as a person sees it."""

import pytest
from typer.testing import CliRunner

from orchestration.cli import app
from orchestration.resources.postgres import Connection
from tests.conftest import Analyst
from tests.scoring.scenario import land_texts, run


@pytest.fixture
def shown(connection: Connection, analyst: Analyst) -> list[str]:
    """The lines of the list after a run over documents that name two companies beside Acme."""
    recall = "Acme recalls {} valves of Gamma GmbH in Peru."
    land_texts(connection, recall.format(1), recall.format(2), "Acme: recall by [red]Delta Inc.")
    run(connection, analyst.settings)
    done = CliRunner().invoke(app, ["suppliers", "candidates"])
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def test_candidates_are_listed_by_the_number_of_documents(shown: list[str]) -> None:
    gamma = next(number for number, line in enumerate(shown) if "Gamma GmbH" in line)
    delta = next(number for number, line in enumerate(shown) if "Delta Inc" in line)
    assert gamma < delta
    assert shown[gamma].split()[0] == "2"
    assert shown[delta].split()[0] == "1"


def test_fewer_are_listed_where_fewer_are_wanted(shown: list[str]) -> None:
    done = CliRunner().invoke(app, ["suppliers", "candidates", "--limit", "1"])
    assert "Gamma GmbH" in done.output
    assert "Delta" not in done.output
