"""The doors as Dagster resources. Settings are read at each use, never at import: a restarted
emulator with a new project id, or a changed model, is found without restarting Dagster."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from orchestration.resources.postgres import Connection, connect
from orchestration.resources.pubsub import GooglePubsub
from orchestration.resources.superset import Superset
from orchestration.settings import (
    LlmSettings,
    PostgresSettings,
    PubsubSettings,
    SupersetSettings,
)


class Postgres(dg.ConfigurableResource[None]):
    """The pipeline's database."""

    @contextmanager
    def connect(self, application: str) -> Iterator[Connection]:
        """See orchestration.resources.postgres.connect."""
        with connect(PostgresSettings.load(), application) as connection:
            yield connection


class Pubsub(dg.ConfigurableResource[None]):
    """The broker."""

    def open(self) -> GooglePubsub:
        """A broker to be used as a context."""
        return GooglePubsub(PubsubSettings.load())

    def open_dead_letters(self) -> GooglePubsub:
        """The same for the dead-letter topic and its subscription."""
        return GooglePubsub(PubsubSettings.load().of_dead_letters())


class LlmEndpoint(dg.ConfigurableResource[None]):
    """The LLM."""

    def settings(self) -> LlmSettings:
        """Address, model and bounds. Raises SettingsError."""
        return LlmSettings.load()


class SupersetDoor(dg.ConfigurableResource[None]):
    """The dashboards' Superset, where there is one."""

    def open(self) -> Superset | None:
        """None while SUPERSET_URL is not set. Raises SettingsError."""
        settings = SupersetSettings.load()
        if settings.url is None:
            return None
        return Superset(settings.url, settings.username, settings.password)
