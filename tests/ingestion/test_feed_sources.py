"""The user's list of feeds: what is wrong is named by file, entry and field."""

from pathlib import Path

import pytest

from orchestration.errors import UsageError
from orchestration.ingestion.feed_sources import FeedSource, read_sources
from orchestration.settings import IngestSettings


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "feeds.yaml"
    path.write_text(text)
    return path


def test_the_file_as_shipped_polls_nothing() -> None:
    sources = read_sources(IngestSettings().feeds_yaml)
    assert sources
    assert not any(source.enabled for source in sources)


def test_name_and_url_are_enough(tmp_path: Path) -> None:
    path = written(tmp_path, "- {name: wire, url: 'https://a.example.com/rss'}")
    assert read_sources(path) == [
        FeedSource(name="wire", url="https://a.example.com/rss", interval_minutes=60, enabled=True)
    ]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[]"])
def test_an_empty_list_is_no_mistake(tmp_path: Path, text: str) -> None:
    assert read_sources(written(tmp_path, text)) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read as YAML"),
        ("\x07", "cannot be read as YAML"),
        ("sources: 3", "is not a list of sources"),
        ("- 3", "entry 1: "),
        ("- {name: a}", "entry 1.url: Field required"),
        ("- {name: a, url: 'file:///etc/passwd'}", "entry 1.url: must be an http or https address"),
        ("- {name: a, url: 'https://'}", "entry 1.url: must be an http or https address"),
        ("- {name: a, url: 'https://[::1/'}", "entry 1.url: "),
        ("- {name: a, url: 'https://u:p@h/x'}", "entry 1.url: must not hold a user or a password"),
        ("- {name: a, url: 'https://h/a b'}", "entry 1.url: must not hold white space"),
        ("- {name: ' ', url: 'https://h'}", "entry 1.name: "),
        ("- {name: a, url: 'https://h', interval_minutes: 4}", "entry 1.interval_minutes: "),
        ("- {name: a, url: 'https://h', every: 4}", "entry 1.every: Extra inputs"),
        (
            "- {name: a, url: 'https://h'}\n- {name: a, url: 'https://i'}",
            "entry 2.name: 'a' is the name of entry 1 already",
        ),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_sources(path)
    assert words in str(caught.value)
    assert f"{path} (INGEST_FEEDS_YAML)" in str(caught.value)


def test_a_missing_file_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There are no feeds at .*INGEST_FEEDS_YAML"):
        read_sources(tmp_path / "feeds.yaml")
