"""Functions by which datasets of Superset show text of strangers as HTML."""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute((Path(__file__).parents[1] / "sql" / "0022_html.sql").read_text())
