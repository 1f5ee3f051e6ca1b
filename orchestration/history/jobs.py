"""History in Dagster: the job that replays, the sensor that goes on with it, and the sensor that
reports pairs that a person changed by a rollback, a promotion or a discard.
"""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import dagster as dg
from pydantic import Field

from orchestration.errors import UsageError
from orchestration.history import comparison, replay_work
from orchestration.history.replay import Wish, open_replay, opened_by
from orchestration.history.replay_work import Replayed
from orchestration.history.selection import Selection
from orchestration.ingestion import budget, changed_pairs, circuit
from orchestration.ingestion.assets import UNFINISHED
from orchestration.ingestion.dead_letter_jobs import moment
from orchestration.job_names import REPLAY
from orchestration.resources.dagster import LlmEndpoint, Postgres
from orchestration.resources.postgres import Connection
from orchestration.scoring import results
from orchestration.scoring.assets import add_partitions, log_materializations, materializations
from orchestration.scoring.report import RunReport
from orchestration.settings import IngestSettings, LlmSettings

_EVENTS_PER_TICK = 200


class WhatToReplay(dg.Config):
    """Documents that every given part agrees to, read again by `model` (default: the configured
    one); `fresh` asks even what the cache knows. Or `generation`, to go on with what is left in it.
    Times are ISO 8601, of the documents' arrival.
    """

    suppliers: list[str] = Field(default=[])
    countries: list[str] = Field(default=[])
    batches: list[str] = Field(default=[])
    sources: list[str] = Field(default=[])
    documents: list[str] = Field(default=[])
    states: list[str] = Field(default=[])
    prompt_versions: list[str] = Field(default=[])
    models: list[str] = Field(default=[])
    since: str | None = None
    before: str | None = None
    everything: bool = False
    model: str | None = None
    fresh: bool = False
    reason: str = ""
    generation: int | None = None

    def wish(self, made_by: str) -> Wish:
        """The same as the room knows it. Raises UsageError for an id or time that is none."""
        try:
            documents = tuple(UUID(document) for document in self.documents)
        except ValueError:
            raise UsageError(f"documents are UUIDs, not {self.documents}") from None
        selection = Selection(
            suppliers=tuple(self.suppliers),
            countries=tuple(self.countries),
            batches=tuple(self.batches),
            sources=tuple(self.sources),
            documents=documents,
            states=tuple(self.states),
            prompt_versions=tuple(self.prompt_versions),
            models=tuple(self.models),
            since=moment(self.since),
            before=moment(self.before),
        )
        return Wish(selection, self.reason, made_by, self.model, self.fresh, self.everything)


@dg.op(
    description="Reads documents again: opens a generation, or goes on with one, for up to "
    f"{replay_work.PAIRS_PER_RUN} pairs.",
)
def replay_documents(
    context: dg.OpExecutionContext, config: WhatToReplay, postgres: Postgres, llm: LlmEndpoint
) -> None:
    """Queue what is wanted, do the first pairs, and say how the generations compare so far."""
    settings, run_id = llm.settings(), context.run.run_id
    with postgres.connect(f"{REPLAY} {run_id}") as connection:
        generation_id = config.generation or _opened(context, config, connection, settings)
        done = replay_work.work(connection, settings, IngestSettings.load(), run_id, generation_id)
        keys = list(done.result.pairs)
        add_partitions(context.instance, keys)
        about = {"generation": generation_id, "generation_status": done.status}
        log_materializations(context, done.result.pairs, settings, **about)
        changed_pairs.strike(connection, done.result.changes)
        context.add_output_metadata({**_metadata(done), **_compared(connection, generation_id)})
    _raise_what_failed(context, done)


@dg.job(
    name=REPLAY,
    description="Reads documents again, by supplier, country, batch, source, document, time, state "
    "or, of today's answer, prompt version and model. Start it from the launchpad, with a reason; "
    "`supplier-risk replay --dry-run` says beforehand what it costs.",
)
def replay() -> None:
    """One op; the config says which and how."""
    replay_documents()


@dg.sensor(
    job_name=REPLAY,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Goes on with replays that have pairs left: one run after another, each of up to "
    f"{replay_work.PAIRS_PER_RUN} pairs.",
)
def replay_sensor(
    context: dg.SensorEvaluationContext, postgres: Postgres, llm: LlmEndpoint
) -> dg.RunRequest | dg.SkipReason:
    """One at a time: where the endpoint refuses, or a budget is used up, none."""
    unfinished = dg.RunsFilter(job_name=REPLAY, statuses=UNFINISHED)
    if context.instance.get_runs(unfinished, limit=1):
        return dg.SkipReason("a replay is queued or under way")
    with postgres.connect("replay_sensor") as connection:
        generation = replay_work.waiting(connection)
        if generation is None:
            return dg.SkipReason("no replay has pairs left")
        settings = llm.settings().of_model(generation.model)
        obstacle = circuit.obstacle(connection, settings) or budget.obstacle(connection, settings)
    if obstacle:
        return dg.SkipReason(f"generation {generation.generation_id} waits: {obstacle}")
    config = {"config": {"generation": generation.generation_id}}
    return dg.RunRequest(run_config={"ops": {replay_documents.name: config}})


@dg.sensor(
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports the pairs that a rollback, an undo, a promotion or a discard changed, "
    "with the reason; the marts follow.",
)
def history_sensor(
    context: dg.SensorEvaluationContext, postgres: Postgres, llm: LlmEndpoint
) -> dg.SensorResult:
    """The cursor holds what the last tick reported: struck off once its events are surely kept."""
    with postgres.connect("history_sensor") as connection:
        changed_pairs.strike(connection, json.loads(context.cursor or "{}"))
        changed = changed_pairs.changed_by_people(connection, _EVENTS_PER_TICK)
        pairs = results.summaries(connection, list(changed), RunReport())
    events = [
        event
        for key, (_, reason) in changed.items()
        for event in materializations({key: pairs[key]}, llm.settings(), reason=reason)
    ]
    cursor = json.dumps({key: change for key, (change, _) in changed.items()})
    summary = f"{len(changed)} pairs changed" if changed else "nobody changed what counts"
    return dg.SensorResult(asset_events=events, cursor=cursor, skip_reason=summary)


def _opened(
    context: dg.OpExecutionContext,
    config: WhatToReplay,
    connection: Connection,
    settings: LlmSettings,
) -> int:
    """A run that Dagster starts again after a crash goes on with what it had opened."""
    made_by = f"Dagster run {context.run.root_run_id or context.run.run_id}"
    if earlier := opened_by(connection, made_by):
        return earlier
    opened = open_replay(connection, settings, config.wish(made_by))
    context.log.info(str(opened))
    return opened.generation_id


def _metadata(done: Replayed) -> dict[str, Any]:
    spent = [report.metadata() for report in done.report.pairs.values()]
    return {
        "generation": done.generation_id,
        "status": done.status,
        "pairs": len(done.result.pairs),
        "pairs_left": done.pairs_left,
        "documents_scored_now": done.report.outcomes["scored"],
        "paid_calls": sum(one["paid_calls"] for one in spent),
        "answers_from_cache": sum(one["answers_from_cache"] for one in spent),
        "dead": sum(done.dead.values()),
    }


def _compared(connection: Connection, generation_id: int) -> Mapping[str, Any]:
    """With the generation that read most of the same documents before, if any did."""
    base = comparison.natural_base(connection, generation_id)
    if base is None:
        return {}
    return comparison.compare(connection, base, generation_id).metadata()


def _raise_what_failed(context: dg.OpExecutionContext, done: Replayed) -> None:
    if done.result.stopped:
        context.log.warning("stopped, and what is left stays queued: %s", done.result.stopped)
    if done.result.outage:
        raise done.result.outage
    if done.report.outcomes["dead"]:
        reasons = ", ".join(f"{count} {reason}" for reason, count in done.dead.items())
        raise dg.Failure(
            f"{done.report.outcomes['dead']} documents failed for good; the others are kept. In "
            f"generation {done.generation_id} are now dead: {reasons}."
        )
