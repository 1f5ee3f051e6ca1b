"""An assessment names every answer that it rests on."""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute((Path(__file__).parents[1] / "sql" / "0012_parts.sql").read_text())
