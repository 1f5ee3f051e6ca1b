"""The sample feed in a stack with Superset, once for all tests of the dashboards; its visitors."""

from collections.abc import Iterator

import pytest

from orchestration.settings import REPOSITORY
from tests.dashboards.looking import Visitor, browser
from tests.dashboards.served import Served
from tests.local.stack import local_stack

NEWS = REPOSITORY / "data" / "sample" / "supplier_news_200.jsonl"


@pytest.fixture(scope="package")
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


@pytest.fixture
def analyst(served: Served) -> Visitor:
    return served.visitor("analyst")
