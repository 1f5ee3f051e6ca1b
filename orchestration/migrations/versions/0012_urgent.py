"""Briefs that say that there is nothing to tell, suppliers by urgency, pauses that runs share."""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute((Path(__file__).parents[1] / "sql" / "0015_urgent.sql").read_text())
