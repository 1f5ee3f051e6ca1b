"""What a run and a day may spend."""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute((Path(__file__).parents[1] / "sql" / "0014_budget.sql").read_text())
