"""A database whose past a test makes up."""

from collections.abc import Iterator

import pytest

from orchestration.settings import PostgresSettings
from tests.migrations.test_roles import connect_as
from tests.transformation.world import World


@pytest.fixture
def world(database: PostgresSettings) -> Iterator[World]:
    with connect_as(database, "migrator") as owner:
        yield World(owner)
