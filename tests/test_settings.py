"""Settings: from the environment or the stack's file, wrong ones named, no secret ever shown."""

import pytest

from orchestration.errors import SettingsError
from orchestration.settings import (
    AlertSettings,
    IngestSettings,
    LlmSettings,
    LocalSettings,
    PostgresSettings,
    SupersetSettings,
    state_folder,
)


def test_what_is_missing_or_wrong_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LLM_BASE_URL", "http://x/v1")
    monkeypatch.setenv("LLM_CONCURRENCY", "0")
    with pytest.raises(SettingsError) as caught:
        LlmSettings.load()
    message = str(caught.value)
    assert "LLM_API_KEY is not set" in message
    assert "LLM_CONCURRENCY is wrong: Input should be greater than or equal to 1" in message
    assert "LLM_BASE_URL" not in message
    assert caught.value.exit_code == 2


def test_the_stack_file_fills_in_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state_folder().mkdir(parents=True)
    lines = ["LLM_BASE_URL='http://file/v1'", "LLM_API_KEY='k'", "LLM_MODEL='from-file'"]
    (state_folder() / "stack.env").write_text("\n".join(lines))
    assert LlmSettings.load().model == "from-file"
    monkeypatch.setenv("LLM_MODEL", "from-environment")
    assert LlmSettings.load().model == "from-environment"
    assert LocalSettings.load().llm_base_url is None


def test_secrets_are_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MIGRATOR", "PIPELINE", "TRANSFORMER", "BI_READER"):
        monkeypatch.setenv(f"POSTGRES_{name}_PASSWORD", "hunter2")
    monkeypatch.setenv("POSTGRES_HOST", "h")
    monkeypatch.setenv("POSTGRES_PORT", "no port")
    with pytest.raises(SettingsError) as caught:
        PostgresSettings.load()
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("POSTGRES_PORT", "5432")
    settings = PostgresSettings.load()
    assert "hunter2" not in f"{settings!r}{settings}{settings.model_dump_json()}"


def test_the_tick_stays_below_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGEST_TICK_SECONDS", "31")
    with pytest.raises(SettingsError, match="INGEST_TICK_SECONDS"):
        IngestSettings.load()


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("ALERTS_WEBHOOK_URL", "s3cret.example", "begins with https://"),
        ("ALERTS_SLACK_WEBHOOK_URL", "ftp://s3cret.example", "begins with https://"),
        ("ALERTS_WEBHOOK_SECRET", "s3cret", "at least 16"),
        ("ALERTS_EMAIL_TO", "a@b.example\nBcc: c@d.example", "write plain addresses"),
        ("ALERTS_TIMEZONE", "Europe", "no such time zone"),
        ("ALERTS_TIMEZONE", "../../etc/passwd", "no such time zone"),
        ("ALERTS_LOWEST_EVENT_LEVEL", "6", "less than or equal to 5"),
        ("SUPERSET_URL", "javascript:alert(1)", "begins with https://"),
    ],
)
def test_what_is_wrong_about_alerts_is_named_without_the_secret(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name} is wrong") as caught:
        (SupersetSettings if name.startswith("SUPERSET") else AlertSettings).load()
    assert complaint in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_channels_are_those_that_are_set_and_half_an_e_mail_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert AlertSettings.load().channels == ()
    monkeypatch.setenv("ALERTS_SLACK_WEBHOOK_URL", "https://hooks.example/s3cret")
    monkeypatch.setenv("ALERTS_EMAIL_TO", "a@b.example, c@d.example")
    with pytest.raises(SettingsError, match="not set: ALERTS_SMTP_HOST, ALERTS_EMAIL_FROM"):
        AlertSettings.load()
    monkeypatch.setenv("ALERTS_SMTP_HOST", "mail.example")
    monkeypatch.setenv("ALERTS_EMAIL_FROM", "risk@b.example")
    settings = AlertSettings.load()
    assert settings.channels == ("slack", "email")
    assert "s3cret" not in f"{settings!r}{settings.model_dump_json()}"
