"""Real parts wherever the user has them. Helpers say what failed, as the tests themselves do."""

import pytest

_HELPERS = ("dashboards", "history", "local", "one_pass", "publishing", "transformation")
pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in _HELPERS))
