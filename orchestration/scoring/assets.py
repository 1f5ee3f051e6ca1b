"""Scoring in Dagster: mentions, and the pair of partitioned assets that one micro-batch fills.

A run without a partition takes whatever is pending; a run with partitions sees to those pairs.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from orchestration.crash_points import reach
from orchestration.ingestion import changed_pairs
from orchestration.ingestion.assets import DOCUMENTS
from orchestration.ingestion.words import take_words
from orchestration.job_names import SCORE_PENDING
from orchestration.partitions import PARTITIONS_NAME, SUPPLIER_COUNTRY
from orchestration.resources.dagster import LlmEndpoint, Postgres
from orchestration.scoring import agreement, mention_tables, mentions, prompts
from orchestration.scoring.agreement import Agreement
from orchestration.scoring.generations import open_stream
from orchestration.scoring.results import PairSummary, ScoringResult
from orchestration.scoring.run import score
from orchestration.scoring.steps import Run
from orchestration.settings import HistorySettings, IngestSettings, LlmSettings

MENTIONS = dg.AssetKey("supplier_mentions")
FINDINGS = dg.AssetKey("risk_findings")
BRIEFS = dg.AssetKey("risk_briefs")
_STOPPED = "stopped, and what is pending stays pending: %s"


@dg.asset(
    key=MENTIONS,
    deps=[DOCUMENTS],
    group_name="scoring",
    kinds={"openai", "postgres"},
    code_version=prompts.SUPPLIER_MENTIONS.version,
)
def supplier_mentions(
    context: dg.AssetExecutionContext, postgres: Postgres, llm: LlmEndpoint
) -> dg.MaterializeResult[None]:
    """risk.mentions: which suppliers each document is about, in which countries, how urgently."""
    limits = IngestSettings.load()
    settings = llm.settings()
    with postgres.connect(f"supplier_mentions {context.run.run_id}") as connection:
        generation_id = open_stream(connection, settings.model)
        run = Run(connection, settings, context.run.run_id, generation_id, limits.max_item_attempts)
        resolution = mentions.resolve_pending(run)
        keys = mention_tables.observed_partition_keys(connection)
        take_words(connection)
    add_partitions(context.instance, keys)
    if resolution.stopped:
        context.log.warning(_STOPPED, resolution.stopped)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(_mentions_version(settings)),
        metadata={
            **resolution.outcomes,
            **resolution.spent.metadata(),
            "model": settings.of_mentions().model,
            "observed_pairs": len(keys),
            **({"stopped": resolution.stopped} if resolution.stopped else {}),
        },
    )


@dg.multi_asset(
    name="risk_findings_and_briefs",
    specs=[
        dg.AssetSpec(
            FINDINGS,
            deps=[MENTIONS],
            skippable=True,
            group_name="scoring",
            kinds={"openai", "postgres"},
            code_version=prompts.RISK_FINDINGS.version,
            description="risk.findings: level, status, event and quoted proof, for each document "
            "of a supplier in a country.",
        ),
        dg.AssetSpec(
            BRIEFS,
            deps=[FINDINGS],
            skippable=True,
            group_name="scoring",
            kinds={"openai", "postgres"},
            code_version=prompts.RISK_BRIEFS.version,
            description="risk.briefs: what happened to a supplier in a country, in five sentences.",
        ),
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "reconciliation",
            asset=FINDINGS,
            blocking=True,
            description="Received = the sum of the states, and every other invariant holds.",
        ),
        dg.AssetCheckSpec(
            "outstanding",
            asset=FINDINGS,
            description="Warns of messages that are pending, dead or rejected.",
        ),
        dg.AssetCheckSpec(
            "quotes_verified",
            asset=FINDINGS,
            description="Warns of findings whose quote does not stand in the document.",
        ),
        dg.AssetCheckSpec(
            "agreement_with_humans",
            asset=FINDINGS,
            description="Warns when people agree too little with this model and prompt.",
        ),
    ],
    partitions_def=SUPPLIER_COUNTRY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    can_subset=False,
)
def risk_findings_and_briefs(
    context: dg.AssetExecutionContext, postgres: Postgres, llm: LlmEndpoint
) -> Iterator[dg.AssetCheckResult]:
    """Ask the LLM about each mention that waits, then write the briefs of the touched pairs."""
    targets = _targets(context)
    history = HistorySettings.load()
    with postgres.connect(f"risk_findings {context.run.run_id}") as connection:
        result = score(
            connection, llm.settings(), IngestSettings.load(), context.run.run_id, targets
        )
        reach("after_done_before_event")
        add_partitions(context.instance, list(result.pairs))
        log_materializations(context, result.pairs, llm.settings())
        changed_pairs.strike(connection, result.changes)
        opinions = agreement.agreement(connection)
        current = agreement.of_live_stream(connection)
    yield from _check_results(result)
    yield _agreement_result(current, opinions, history)
    if result.stopped:
        context.log.warning(_STOPPED, result.stopped)
    if result.outage:
        raise result.outage
    if result.failures:
        raise dg.Failure(
            f"{len(result.failures)} of {len(targets or [])} partitions were not finished: "
            + "; ".join(f"{key}: {reason}" for key, reason in list(result.failures.items())[:10])
            + (f". It was stopped: {result.stopped}" if result.stopped else "")
        )


score_pending = dg.define_asset_job(
    SCORE_PENDING,
    selection=dg.AssetSelection.assets(MENTIONS, FINDINGS, BRIEFS),
    description="Scores whatever is pending, in one run. Requested by supplier_news_sensor.",
)


def _targets(context: dg.AssetExecutionContext) -> Sequence[str] | None:
    """The partition keys of a run that has any, else None."""
    if context.has_partition_key or context.has_partition_key_range:
        return list(context.partition_keys)
    return None


def add_partitions(instance: dg.DagsterInstance, keys: Sequence[str]) -> None:
    """Every observed pair is a partition before any event speaks of it."""
    known = set(instance.get_dynamic_partitions(PARTITIONS_NAME))
    missing = [key for key in keys if key not in known]
    if missing:
        instance.add_dynamic_partitions(PARTITIONS_NAME, missing)


def log_materializations(
    context: dg.AssetExecutionContext | dg.OpExecutionContext,
    pairs: Mapping[str, PairSummary],
    settings: LlmSettings,
    **more: Any,
) -> None:
    """One event for each asset and finished pair, after everything is committed."""
    for event in materializations(pairs, settings, llm_run=context.run.run_id, **more):
        context.log_event(event)


def materializations(
    pairs: Mapping[str, PairSummary], settings: LlmSettings, **more: Any
) -> Iterator[dg.AssetMaterialization]:
    """How each pair stands now, as events of findings and briefs; `more` is metadata of all."""
    for key, summary in pairs.items():
        shared: dict[str, Any] = {"model": settings.model, **more}
        call = _link_to_call(summary.last_response_id, settings.call_url)
        findings = {**summary.findings_metadata(), **shared, "newest_call": call}
        briefs = {"brief": dg.MetadataValue.text(summary.brief or "No adverse finding."), **shared}
        for asset, metadata in ((FINDINGS, findings), (BRIEFS, briefs)):
            yield dg.AssetMaterialization(
                asset, partition=key, metadata=metadata, tags=_made_of(asset, settings)
            )


def _mentions_version(settings: LlmSettings) -> str:
    """New mentions do not make old findings stale; another prompt or model does."""
    models = (settings.of_mentions().model, settings.model)
    return " ".join((prompts.SUPPLIER_MENTIONS.version, *models))


def _made_of(asset: dg.AssetKey, settings: LlmSettings) -> dict[str, str]:
    """What Dagster adds to the outputs of a step, but not to events that a step logs itself; its
    page compares it with the code to say what is stale."""
    findings_version = f"{prompts.RISK_FINDINGS.version} {settings.model}"
    code, made, of, of_version = {
        FINDINGS: (
            prompts.RISK_FINDINGS.version,
            findings_version,
            MENTIONS,
            _mentions_version(settings),
        ),
        BRIEFS: (
            prompts.RISK_BRIEFS.version,
            f"{prompts.RISK_BRIEFS.version} {settings.model}",
            FINDINGS,
            findings_version,
        ),
    }[asset]
    return {
        "dagster/code_version": code,
        "dagster/data_version": made,
        f"dagster/input_data_version/{of.to_user_string()}": of_version,
        f"dagster/input_event_pointer/{of.to_user_string()}": "NULL",
    }


def _link_to_call(response_id: int | None, call_url: str | None) -> dg.MetadataValue[Any]:
    """A link where one is configured, else the command that shows the call."""
    if response_id is None:
        return dg.MetadataValue.text("none")
    if call_url is None:
        return dg.MetadataValue.text(f"supplier-risk call {response_id}")
    return dg.MetadataValue.url(call_url.replace("{}", str(response_id)))


def _check_results(result: ScoringResult) -> Iterator[dg.AssetCheckResult]:
    yield dg.AssetCheckResult(
        asset_key=FINDINGS,
        check_name="reconciliation",
        passed=not result.violations,
        description="; ".join(f"{name}: {rows}" for name, rows in result.violations.items())
        or None,
        metadata={state: count for state, count in result.totals.items() if count is not None},
    )
    open_states = {"pending": result.totals["pending"], **result.open_letters}
    yield dg.AssetCheckResult(
        asset_key=FINDINGS,
        check_name="outstanding",
        passed=not any(open_states.values()),
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(result.outstanding) or None,
        metadata=open_states,
    )
    yield dg.AssetCheckResult(
        asset_key=FINDINGS,
        check_name="quotes_verified",
        passed=result.unverified_quotes == 0,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"unverified": result.unverified_quotes, "findings": result.findings},
    )


def _agreement_result(
    current: Agreement | None, opinions: Sequence[Agreement], settings: HistorySettings
) -> dg.AssetCheckResult:
    """Judged is what the stream asks now; the others stand beside it."""
    shortfall = current.shortfall(settings) if current else None
    shown: dict[str, Any] = {
        "labels": current.labels if current else 0,
        "agreed": current.agreed if current else 0,
        **({"share": current.share} if current and current.share is not None else {}),
    }
    for one in opinions:
        words = f"{one.agreed:,} of {one.labels:,} ({one.share or 0:.1%})"
        shown[f"{one.model} / {one.prompt_version}"] = words
    return dg.AssetCheckResult(
        asset_key=FINDINGS,
        check_name="agreement_with_humans",
        passed=shortfall is None,
        severity=dg.AssetCheckSeverity.WARN,
        description=shortfall,
        metadata=shown,
    )
