"""The door to Superset: one user who may tell it to drop what its charts remember."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
from pydantic import SecretStr

from orchestration.errors import SettingsError, SupersetError

NOT_SET = "SUPERSET_URL is not set: no Superset is told of fresh data (docs/operations.md)"
_SECONDS = 30.0
_HEALTH_SECONDS = 3.0
_DETAIL_CHARACTERS = 300
_LOGIN = "/api/v1/security/login"
_CSRF_TOKEN = "/api/v1/security/csrf_token/"
_INVALIDATE = "/api/v1/cachekey/invalidate"
_FORBIDDEN = {
    _LOGIN: "correct SUPERSET_USERNAME and SUPERSET_PASSWORD, or provision Superset anew",
    _CSRF_TOKEN: "give that user can_read on SecurityRestApi",
    _INVALIDATE: "give that user can_invalidate on CacheRestApi",
}


@dataclass(frozen=True)
class DatasetName:
    """What Superset calls a dataset: its database there, its schema, its own name."""

    database: str
    schema: str | None
    table: str


class Superset:
    """Superset at an address. Raises SettingsError for a missing user."""

    def __init__(self, url: str, username: str | None, password: SecretStr | None) -> None:
        if username is None or password is None:
            missing = "SUPERSET_USERNAME" if username is None else "SUPERSET_PASSWORD"
            raise SettingsError(
                f"{missing} is not set, and SUPERSET_URL is. What to do: set the user who may tell "
                "Superset to drop what it remembers, or unset SUPERSET_URL (docs/operations.md)."
            )
        self._url, self._username, self._password = url, username, password

    def is_up(self) -> bool:
        """Whether it answers now."""
        try:
            answer = httpx2.get(f"{self._url}/health", timeout=_HEALTH_SECONDS)
        except (httpx2.HTTPError, httpx2.InvalidURL):
            return False
        return answer.status_code == httpx2.codes.OK

    def dashboard_url(self, slug: str) -> str:
        """Where a person sees a dashboard."""
        return f"{self._url}/superset/dashboard/{quote(slug)}/"

    def forget(self, datasets: Iterable[DatasetName]) -> None:
        """Let it drop what it has cached of these datasets.

        Superset answers alike for a dataset that it does not know and for one without anything
        cached. Raises SupersetError.
        """
        with self._client() as client:
            user = {"username": self._username, "password": self._password.get_secret_value()}
            login = _asked(client, "POST", _LOGIN, {**user, "provider": "db", "refresh": False})
            client.headers["Authorization"] = f"Bearer {_said(login, 'access_token')}"
            # the token is of the session whose cookie came with it
            client.headers["X-CSRFToken"] = _said(_asked(client, "GET", _CSRF_TOKEN), "result")
            client.headers["Referer"] = self._url
            datasources = [
                {
                    "database_name": dataset.database,
                    "datasource_name": dataset.table,
                    "schema": dataset.schema or "",
                    "datasource_type": "table",
                }
                for dataset in datasets
            ]
            _asked(client, "POST", _INVALIDATE, {"datasources": datasources})

    @contextmanager
    def _client(self) -> Iterator[httpx2.Client]:
        try:
            with httpx2.Client(base_url=self._url, timeout=_SECONDS) as client:
                yield client
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise SupersetError(
                f"Superset at {self._url} does not answer: {error!r}. What to do: is it up, and is "
                "SUPERSET_URL its address? Then materialize the dashboards again."
            ) from error


def _asked(client: httpx2.Client, method: str, path: str, body: Any = None) -> httpx2.Response:
    """What the body holds is never told: the login's is a password."""
    answer = client.request(method, path, json=body)
    if not answer.is_success:
        is_forbidden = answer.status_code in {httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN}
        mend = _FORBIDDEN[path] if is_forbidden else "see Superset's log; is it another version?"
        raise SupersetError(
            f"Superset answered {answer.status_code} to {path}: "
            f"{answer.text[:_DETAIL_CHARACTERS].strip()}. What to do: {mend}"
        )
    return answer


def _said(answer: httpx2.Response, key: str) -> str:
    try:
        return str(answer.json()[key])
    except (ValueError, KeyError, TypeError):
        raise SupersetError(
            f"{answer.request.url} answered without {key}: that is no Superset, or another version "
            "of it. What to do: correct SUPERSET_URL."
        ) from None
