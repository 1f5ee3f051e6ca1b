"""Settings: from the environment or the stack's file, wrong ones named, no secret ever shown."""

import pytest

from orchestration.errors import SettingsError
from orchestration.settings import (
    IngestSettings,
    LlmSettings,
    LocalSettings,
    PostgresSettings,
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
