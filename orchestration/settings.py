"""The only reader of the environment: one class for each door to the outside.

Values come from the environment, then from `stack.env`, which the local stack keeps in the state
folder. No default is a secret; nothing here is ever logged.
"""

import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestration.errors import SettingsError

REPOSITORY = Path(__file__).resolve().parent.parent
STATE_VARIABLE = "SUPPLIER_RISK_STATE"
DBT_TARGET_VARIABLE = "DBT_TARGET_PATH"
CRASH_POINT_VARIABLE = "SUPPLIER_RISK_CRASH_POINT"
# The model that the local stack sets as LLM_MODEL: a word list, which must be named where its
# answers are shown.
OFFLINE_ANALYST = "offline-analyst-1"
# What only `stack.env` says where the embedded stack is concerned: where its own parts are, with
# which passwords. PG... are libpq's: PGHOSTADDR alone would lead each connection elsewhere.
_OF_THE_STACK = re.compile(r"(POSTGRES|DAGSTER|DBT)_|PG[A-Z]+$|PUBSUB_PROJECT_ID$")
# One plain address, without a name and without what could end a header.
_EMAIL = re.compile(r"[^\s@,;:<>()\[\]\\\"]+@[A-Za-z0-9.-]+")
_NEEDED_BY_ALL = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")


def state_folder() -> Path:
    """The git-ignored folder that holds all the local stack keeps (SUPPLIER_RISK_STATE)."""
    return Path(os.environ.get(STATE_VARIABLE) or REPOSITORY / ".state").resolve()


def environment() -> dict[str, str]:
    """A copy of this process's environment, for the processes that the local stack starts."""
    return dict(os.environ)


def bare_environment() -> dict[str, str]:
    """What every program needs, and nothing secret."""
    return {name: os.environ[name] for name in _NEEDED_BY_ALL if name in os.environ}


def trust_the_stack_alone() -> None:
    """Drop, in this process and for its children, what the user's shell says of databases and
    projects: the embedded stack must never reach a foreign one."""
    for name in [name for name in os.environ if _OF_THE_STACK.match(name)]:
        del os.environ[name]


def armed_crash_point() -> str | None:
    """The place at which tests want this process to die (SUPPLIER_RISK_CRASH_POINT)."""
    return os.environ.get(CRASH_POINT_VARIABLE) or None


def dbt_target_folder(project: Path) -> Path:
    """Where dbt writes and Dagster reads (DBT_TARGET_PATH, as dbt itself understands it)."""
    return project / (os.environ.get(DBT_TARGET_VARIABLE) or "target")


def _web_address(url: str) -> str:
    """The address, if it is one. What is wrong is said without it: it may hold a token."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isascii():
        raise ValueError("an address begins with https:// or http:// and names a host")
    return url


class Section(BaseSettings):
    """Settings of one door, read from the environment at every `load`."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    @classmethod
    def load(cls) -> Self:
        """Read the settings now. Raises SettingsError naming each variable that is wrong."""
        env_file: dict[str, Any] = {"_env_file": state_folder() / "stack.env"}
        try:
            return cls(**env_file)
        except ValidationError as error:
            raise SettingsError(cls._explain(error)) from None

    @classmethod
    def _explain(cls, error: ValidationError) -> str:
        prefix = cls.model_config.get("env_prefix", "")
        lines = []
        for item in error.errors(include_input=False):
            name = f"{prefix}{item['loc'][0]}".upper()
            what = "is not set" if item["type"] == "missing" else f"is wrong: {item['msg']}"
            lines.append(f"{name} {what}")
        return (
            "; ".join(lines) + ". Start the local stack with `supplier-risk local up`, "
            "or set it in the environment (docs/operations.md lists every setting)."
        )


class PostgresSettings(Section):
    """Where PostgreSQL listens and the password of each role (docs/architecture.md, roles)."""

    model_config = SettingsConfigDict(env_prefix="postgres_")

    host: str
    port: int = 5432
    database: str = "supplier_risk"
    migrator_password: SecretStr
    pipeline_password: SecretStr
    transformer_password: SecretStr
    bi_reader_password: SecretStr


class PubsubSettings(Section):
    """Topics and subscriptions; with `emulator_host` set, Google's emulator instead of Google.

    Only the check of what Pub/Sub's own account may do asks for `project_number`.
    """

    model_config = SettingsConfigDict(env_prefix="pubsub_")

    project_id: str
    topic: str = "supplier-news"
    subscription: str = "supplier-news-ingest"
    dead_letter_topic: str = "supplier-news-dead"
    dead_letter_subscription: str = "supplier-news-dead-ingest"
    max_delivery_attempts: int = Field(10, ge=5, le=100)
    project_number: int | None = Field(None, ge=1)
    emulator_host: str | None = None

    def of_dead_letters(self) -> Self:
        """The same door, led to the dead-letter topic and its subscription."""
        return self.model_copy(
            update={
                "topic": self.dead_letter_topic,
                "subscription": self.dead_letter_subscription,
            }
        )


class LlmSettings(Section):
    """Any OpenAI-compatible endpoint; what a call may cost in time, tokens and attempts.

    `call_url` is where a person sees a call, with {} for its number. `parameters` (JSON) go into
    each request, such as {"temperature": 0} where a model takes it. A document of more than
    `max_document_characters` is asked about in parts. `mentions_model` may be a cheaper one, at the
    same address, that says whom a document is about.
    """

    model_config = SettingsConfigDict(env_prefix="llm_")

    base_url: str
    api_key: SecretStr
    model: str
    transport: Literal["aiohttp", "httpx"] = "aiohttp"
    response_format: Literal["json_schema", "json_object", "none"] = "json_schema"
    mentions_model: str | None = None
    concurrency: int = Field(16, ge=1, le=512)
    timeout_seconds: float = Field(60.0, gt=0)
    requests_per_minute: int | None = Field(None, ge=1)
    tokens_per_minute: int | None = Field(None, ge=1)
    item_seconds: float = Field(600.0, gt=0)
    max_attempts: int = Field(4, ge=1, le=20)
    max_output_tokens: int = Field(4096, ge=64)
    max_document_characters: int = Field(60_000, ge=2_000)
    token_limit_field: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    parameters: dict[str, Any] = Field(default_factory=dict)
    input_usd_per_million: float | None = Field(None, ge=0)
    output_usd_per_million: float | None = Field(None, ge=0)
    budget_usd_per_run: Decimal | None = Field(None, gt=0)
    budget_usd_per_day: Decimal | None = Field(None, gt=0)
    call_url: str | None = None

    @property
    def budgets(self) -> dict[str, Decimal]:
        """US dollars that may be spent, for each scope that has a limit: `day`, `run`."""
        wanted = {"day": self.budget_usd_per_day, "run": self.budget_usd_per_run}
        return {scope: limit for scope, limit in wanted.items() if limit is not None}

    def of_mentions(self) -> Self:
        """The same door, led to the model that says whom a document is about. The prices are those
        of `model`: another one's are looked up, or unknown."""
        return self.of_model(self.mentions_model or self.model)

    def of_model(self, model: str) -> Self:
        """The same door, led to another model, whose prices are looked up, or unknown."""
        if model == self.model:
            return self
        return self.model_copy(
            update={
                "model": model,
                "input_usd_per_million": None,
                "output_usd_per_million": None,
            }
        )


class IngestSettings(Section):
    """Bounds on what is pulled, landed and tried again; where suppliers and feeds are listed."""

    model_config = SettingsConfigDict(env_prefix="ingest_")

    max_document_bytes: int = Field(1_000_000, ge=1_000, le=9_000_000)
    pulled_by: Literal["sensor", "worker"] = "sensor"
    tick_seconds: float = Field(20.0, gt=0, le=30)
    max_item_attempts: int = Field(5, ge=1)
    suppliers_csv: Path = REPOSITORY / "data" / "suppliers.csv"
    feeds_yaml: Path = REPOSITORY / "data" / "feeds.yaml"
    feeds_user_agent: str = Field("supplier-risk (feed reader)", pattern="^[!-~][ -~]*$")
    feeds_timeout_seconds: float = Field(20.0, gt=0, le=120)
    feeds_max_bytes: int = Field(5_000_000, ge=1_000, le=50_000_000)


class HistorySettings(Section):
    """How long bodies of prompts and answers are kept, for ever if unset; and how far people must
    agree with a generation, on how many labels, before it may go live."""

    model_config = SettingsConfigDict(env_prefix="history_")

    keep_prompts_days: int | None = Field(None, ge=1, le=100_000)
    keep_answers_days: int | None = Field(None, ge=1, le=100_000)
    min_agreement: float = Field(0.8, ge=0, le=1)
    min_labels: int = Field(20, ge=1)


class SupersetSettings(Section):
    """Where Superset is, and who Dagster is there; without `url` no Superset is told anything."""

    model_config = SettingsConfigDict(env_prefix="superset_")

    url: str | None = None
    username: str | None = None
    password: SecretStr | None = None

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        return url if url is None else _web_address(url).rstrip("/")


class AlertSettings(Section):
    """Who is told what, and when: Slack, e-mail and a webhook, each if its address is set.

    Addresses are secrets: whoever knows one can write there. `email_to` holds addresses between
    commas. Told are bands from `lowest_band` on and events from `lowest_event_level` on; a message
    names `max_lines` alerts at most and counts the rest. Times of one attempt are in seconds.
    """

    model_config = SettingsConfigDict(env_prefix="alerts_")

    slack_webhook_url: SecretStr | None = None
    webhook_url: SecretStr | None = None
    webhook_secret: SecretStr | None = Field(None, min_length=16)
    smtp_host: str | None = None
    smtp_port: int = Field(587, ge=1, le=65_535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    email_from: str | None = None
    email_to: str | None = None
    lowest_band: str = "high"
    lowest_event_level: int = Field(5, ge=1, le=5)
    max_lines: int = Field(20, ge=1, le=20)
    timeout_seconds: float = Field(8.0, gt=0, le=10)
    max_attempts: int = Field(8, ge=1, le=50)
    timezone: str = "UTC"
    digest_hour: int = Field(7, ge=0, le=23)

    @field_validator("slack_webhook_url", "webhook_url")
    @classmethod
    def _is_an_address(cls, url: SecretStr | None) -> SecretStr | None:
        return url if url is None else SecretStr(_web_address(url.get_secret_value()))

    @field_validator("email_from", "email_to")
    @classmethod
    def _are_addresses(cls, addresses: str | None) -> str | None:
        if addresses and not all(_EMAIL.fullmatch(one.strip()) for one in addresses.split(",")):
            raise ValueError("write plain addresses, as risk@example.com, with commas between them")
        return addresses

    @field_validator("timezone")
    @classmethod
    def _is_a_timezone(cls, name: str) -> str:
        try:
            return ZoneInfo(name).key
        except (KeyError, ValueError, OSError):
            raise ValueError("no such time zone; write it as Europe/Berlin") from None

    @classmethod
    def load(cls) -> Self:
        """Read the settings now. Raises SettingsError for half of an e-mail channel, too."""
        settings = super().load()
        mail = ("smtp_host", "email_from", "email_to")
        missing = [name for name in mail if not getattr(settings, name)]
        if 0 < len(missing) < len(mail):
            names = ", ".join(f"ALERTS_{name}".upper() for name in mail)
            raise SettingsError(
                f"E-mail needs all of {names}; not set: "
                + ", ".join(f"ALERTS_{name}".upper() for name in missing)
            )
        return settings

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that are set: slack, email, webhook."""
        addresses = {
            "slack": self.slack_webhook_url,
            "email": self.email_to,
            "webhook": self.webhook_url,
        }
        return tuple(channel for channel, address in addresses.items() if address)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone whose days and hours the digest keeps."""
        return ZoneInfo(self.timezone)


class LocalSettings(Section):
    """What the user may bring to the local stack instead of its own parts.

    Read from the environment alone: `stack.env` is what the stack itself writes.
    """

    pubsub_emulator_jar: Path | None = None
    pubsub_emulator_host: str | None = None
    llm_base_url: str | None = None
    llm_api_key: SecretStr | None = None
    llm_model: str | None = None

    @classmethod
    def load(cls) -> Self:
        """Read the settings now."""
        return cls()
