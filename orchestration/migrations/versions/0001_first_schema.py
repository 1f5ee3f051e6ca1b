"""Roles, and the schemas ingest, llm and risk."""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0001"
down_revision = None

FILES = ("0001_roles.sql", "0002_ingest.sql", "0003_llm.sql", "0004_risk.sql")


def upgrade() -> None:
    driver: Any = op.get_bind().connection.driver_connection
    for name in FILES:
        driver.execute((Path(__file__).parents[1] / "sql" / name).read_text())
