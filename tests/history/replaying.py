"""A small past to do something with: two documents, scored once, and replays of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from orchestration.history.replay import Opened, Wish, open_replay
from orchestration.history.replay_work import Replayed, work
from orchestration.history.selection import Selection
from orchestration.resources.postgres import Connection
from orchestration.settings import IngestSettings, LlmSettings
from tests.scoring.endpoint import completion, endpoint, quoting
from tests.scoring.scenario import BANKRUPTCY, RECALL, land_hinted, run

ACME = Selection(suppliers=("acme",))


def wish(selection: Selection = ACME, **more: Any) -> Wish:
    """A wish with a reason."""
    return Wish(selection, more.pop("reason", "a test"), more.pop("made_by", "tester"), **more)


def scored(connection: Connection, llm: LlmSettings) -> None:
    """One document of acme@MX and one of beta@DE, each with a finding and a brief."""
    land_hinted(connection, RECALL, BANKRUPTCY)
    run(connection, llm)


def replay(
    connection: Connection, llm: LlmSettings, wanted: Wish, run_id: str = "replay"
) -> tuple[Opened, Replayed]:
    """Opened and worked on by one run."""
    opened = open_replay(connection, llm, wanted)
    limits = IngestSettings()
    return opened, work(connection, llm, limits, run_id, opened.generation_id)


@contextmanager
def other_model(llm: LlmSettings) -> Iterator[tuple[LlmSettings, list[str]]]:
    """A model at another address that finds a recall of level 2 in every document; and the prompts
    that reached it."""
    brief = {"sentences": [{"text": "There is a recall.", "cites": [1]}]}

    def script(prompt: str) -> tuple[int, object]:
        if "1. level 2" in prompt:
            return 200, completion(json.dumps(brief))
        for text in (RECALL, BANKRUPTCY):
            if text in prompt:
                return 200, quoting(text)
        return 200, quoting()

    with endpoint(script) as (url, asked):
        yield llm.model_copy(update={"base_url": url, "max_attempts": 1}), asked


def current(connection: Connection) -> list[tuple[object, ...]]:
    """What counts: supplier, dimension, level, and the generation's model."""
    rows = connection.execute(
        "select supplier_id, dimension, level, model"
        " from risk.current_mentions"
        " inner join risk.current_assessments using (mention_id)"
        " inner join risk.generations using (generation_id)"
        " left join risk.findings using (assessment_id) order by 1, 2"
    )
    return [tuple(row.values()) for row in rows]


def count(connection: Connection, table: str) -> int:
    row = connection.execute(f"select count(*) as n from {table}").fetchone()
    assert row
    return int(row["n"])


def reported(connection: Connection) -> dict[str, str | None]:
    """Pairs that Dagster is to hear of, with the reason if a person changed them."""
    rows = connection.execute(
        "select partition_key, reason from risk.unreported_pairs"
        " inner join risk.pairs using (pair_id) order by 1"
    )
    return {row["partition_key"]: row["reason"] for row in rows}
