"""A bundle that a test may spoil, and a Superset that the environment leads to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.publishing.bundles import Files
from tests.publishing.receiver import PASSWORD, USER, Receiver, receiving


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files.good(tmp_path)


@pytest.fixture
def superset(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving() as receiver:
        monkeypatch.setenv("SUPERSET_URL", receiver.url)
        monkeypatch.setenv("SUPERSET_USERNAME", USER)
        monkeypatch.setenv("SUPERSET_PASSWORD", PASSWORD)
        yield receiver
