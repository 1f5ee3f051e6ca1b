"""The database schema as plain SQL, applied in order by Alembic (`supplier-risk db upgrade`).

A new change is a new pair of files: `sql/NNNN_name.sql` and `versions/NNNN_name.py`.
"""

from pathlib import Path
from typing import Any, cast

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import URL, create_engine

from orchestration.resources.postgres import set_password
from orchestration.settings import PostgresSettings

FOLDER = Path(__file__).parent


def upgrade(settings: PostgresSettings, revision: str = "head") -> None:
    """Bring the schema to a revision and set each role's password from the settings."""
    url = URL.create(
        "postgresql+psycopg",
        username="migrator",
        password=settings.migrator_password.get_secret_value(),
        host=settings.host,
        port=settings.port,
        database=settings.database,
    )
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    engine = create_engine(url)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
        driver = connection.connection.driver_connection
        _set_passwords(cast("psycopg.Connection[Any]", driver), settings)
    engine.dispose()


def _set_passwords(connection: psycopg.Connection[Any], settings: PostgresSettings) -> None:
    passwords = {
        "pipeline": settings.pipeline_password,
        "transformer": settings.transformer_password,
        "bi_reader": settings.bi_reader_password,
    }
    for role, password in passwords.items():
        set_password(connection, role, password.get_secret_value())
    connection.commit()
