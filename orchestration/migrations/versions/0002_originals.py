"""A copy takes the place of an original that was superseded."""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute((Path(__file__).parents[1] / "sql" / "0005_originals.sql").read_text())
