"""The sources of news feeds: what the user's YAML says, and what is wrong with it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from orchestration.errors import UsageError
from orchestration.ingestion.message import Name

_EXPECTED = "a list of sources, each with name and url (see data/feeds.yaml)"


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http or https address, such as https://example.com/rss.xml")
    if parts.username or parts.password:
        raise ValueError("must not hold a user or a password")
    if not url.isprintable() or " " in url:
        raise ValueError("must not hold white space or control characters")
    return url


class FeedSource(BaseModel):
    """One feed. `name` is the source of its documents."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    url: Annotated[str, Field(max_length=2_000), AfterValidator(_web_address)]
    publisher: Name | None = None
    language: Name | None = None
    interval_minutes: Annotated[int, Field(ge=5, le=10_080)] = 60
    enabled: bool = True


def read_sources(path: Path) -> list[FeedSource]:
    """All sources of the file. Raises UsageError naming file, entry and field of each mistake."""
    try:
        content = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        raise UsageError(f"There are no feeds at {path} (INGEST_FEEDS_YAML)") from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path} (INGEST_FEEDS_YAML) cannot be read as YAML: {error}") from None
    if content is None:
        return []
    if not isinstance(content, list):
        raise UsageError(f"{path} (INGEST_FEEDS_YAML) is not {_EXPECTED}")
    try:
        sources = TypeAdapter(list[FeedSource]).validate_python(content)
    except ValidationError as error:
        raise UsageError(_explain(path, _wrong_fields(error))) from None
    if repeated := _repeated(sources):
        raise UsageError(_explain(path, repeated))
    return sources


def _wrong_fields(error: ValidationError) -> list[str]:
    problems = []
    for item in error.errors(include_url=False, include_input=False):
        number, *field = item["loc"]
        where = ".".join(["entry " + str(int(number) + 1), *map(str, field)])
        problems.append(f"{where}: {item['msg'].removeprefix('Value error, ')}")
    return problems


def _repeated(sources: Sequence[FeedSource]) -> list[str]:
    first: dict[str, int] = {}
    problems = []
    for number, source in enumerate(sources, start=1):
        if first.setdefault(source.name, number) != number:
            problems.append(
                f"entry {number}.name: {source.name!r} is the name of entry {first[source.name]} "
                "already"
            )
    return problems


def _explain(path: Path, problems: Sequence[str]) -> str:
    return f"{path} (INGEST_FEEDS_YAML) cannot be used:\n" + "\n".join(problems)
