"""Dead letters in one list; what ticks and claims need to stay quick; open circuits."""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute((Path(__file__).parents[1] / "sql" / "0006_dead_letters.sql").read_text())
