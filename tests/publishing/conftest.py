"""A bundle that a test may spoil."""

from pathlib import Path

import pytest

from tests.publishing.bundles import Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files.good(tmp_path)
