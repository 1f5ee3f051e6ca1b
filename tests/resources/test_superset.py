"""The door to Superset: what it says over HTTP, and what a person is told where that fails."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from orchestration.errors import SettingsError, SupersetError
from orchestration.resources.dagster import SupersetDoor
from orchestration.resources.superset import DatasetName, Superset
from tests.publishing.superset_receiver import PASSWORD, USER, SupersetReceiver, receiving

EVENTS = DatasetName("Warehouse", "marts", "risk_events")


@pytest.fixture
def receiver() -> Iterator[SupersetReceiver]:
    with receiving() as receiver:
        yield receiver


def door(url: str, password: str = PASSWORD) -> Superset:
    return Superset(url, USER, SecretStr(password))


def test_it_logs_in_and_names_what_to_drop_as_superset_knows_it(receiver: SupersetReceiver) -> None:
    door(receiver.url).forget([EVENTS, DatasetName("Warehouse", None, "other")])
    assert receiver.dropped == [
        [
            {
                "database_name": "Warehouse",
                "datasource_name": "risk_events",
                "schema": "marts",
                "datasource_type": "table",
            },
            {
                "database_name": "Warehouse",
                "datasource_name": "other",
                "schema": "",  # null is refused
                "datasource_type": "table",
            },
        ]
    ]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/v1/security/login", 401, "correct SUPERSET_USERNAME and SUPERSET_PASSWORD"),
        ("/api/v1/security/csrf_token/", 403, "give that user can_read on SecurityRestApi"),
        ("/api/v1/cachekey/invalidate", 403, "give that user can_invalidate on CacheRestApi"),
        ("/api/v1/cachekey/invalidate", 500, "see Superset's log"),
    ],
)
def test_a_refusal_says_which_address_and_what_to_mend(
    receiver: SupersetReceiver, path: str, status: int, words: str
) -> None:
    receiver.statuses[path] = status
    with pytest.raises(SupersetError, match=f"answered {status} to {path}.*{words}"):
        door(receiver.url).forget([EVENTS])
    assert receiver.dropped == []


def test_the_password_is_never_told(receiver: SupersetReceiver) -> None:
    wrong = door(receiver.url, "hunter2")
    with pytest.raises(SupersetError) as caught:
        wrong.forget([EVENTS])
    assert "hunter2" not in f"{caught.value!r}{vars(wrong)!r}"


def test_one_that_is_away_is_named_by_its_address(receiver: SupersetReceiver) -> None:
    assert door(receiver.url).is_up()
    receiver.statuses["/health"] = 503
    assert not door(receiver.url).is_up()
    away = door("http://127.0.0.1:1")
    assert not away.is_up()
    with pytest.raises(SupersetError, match=r"Superset at http://127.0.0.1:1 does not answer"):
        away.forget([EVENTS])


def test_another_server_at_that_address_is_no_superset(receiver: SupersetReceiver) -> None:
    receiver.statuses["/api/v1/security/csrf_token/"] = 204
    with pytest.raises(SupersetError, match="correct SUPERSET_URL"):
        door(receiver.url).forget([EVENTS])


def test_a_user_must_be_set_with_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERSET_URL", "http://127.0.0.1:1")
    with pytest.raises(SettingsError, match="SUPERSET_USERNAME is not set"):
        SupersetDoor().open()
    monkeypatch.setenv("SUPERSET_USERNAME", USER)
    with pytest.raises(SettingsError, match="SUPERSET_PASSWORD is not set"):
        SupersetDoor().open()


def test_a_dashboard_has_an_address_however_that_of_superset_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SUPERSET_URL", "https://risk.example.com/")
    monkeypatch.setenv("SUPERSET_USERNAME", USER)
    monkeypatch.setenv("SUPERSET_PASSWORD", PASSWORD)
    superset = SupersetDoor().open()
    assert superset is not None
    url = superset.dashboard_url("evidence-and-audit")
    assert url == "https://risk.example.com/superset/dashboard/evidence-and-audit/"
