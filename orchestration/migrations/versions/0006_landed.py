"""Messages in the order in which they landed."""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute((Path(__file__).parents[1] / "sql" / "0009_landed.sql").read_text())
