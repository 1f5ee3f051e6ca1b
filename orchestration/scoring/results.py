"""What a scoring run leaves behind, as the tables have it afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestration.errors import LlmError
from orchestration.resources.postgres import Connection, one
from orchestration.scoring.report import PairReport, RunReport


@dataclass(frozen=True)
class PairSummary:
    """A pair as it stands after the run, and what the run spent on it."""

    documents: int
    findings: int
    verified: int
    highest_level: int | None
    brief: str | None
    last_response_id: int | None
    spent: PairReport

    def findings_metadata(self) -> dict[str, Any]:
        """The numbers that Dagster shows beside a materialization."""
        return {
            "documents": self.documents,
            "findings": self.findings,
            "verified_quotes": self.verified,
            "highest_level": self.highest_level if self.highest_level is not None else "no signal",
            "documents_scored_now": self.spent.documents,
            **self.spent.metadata(),
        }


@dataclass
class ScoringResult:
    """What a run leaves behind. `failures` says why a targeted pair is not finished; `changes` are
    to be struck off when the events of the pairs are logged; `stopped` says that a budget was
    reached."""

    pairs: dict[str, PairSummary] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=dict)
    outage: LlmError | None = None
    stopped: str | None = None
    failures: dict[str, str] = field(default_factory=dict)
    violations: dict[str, list[str]] = field(default_factory=dict)
    totals: dict[str, Any] = field(default_factory=dict)
    outstanding: list[str] = field(default_factory=list)
    open_letters: dict[str, int] = field(default_factory=dict)
    findings: int = 0
    unverified_quotes: int = 0


def summaries(
    connection: Connection, keys: Sequence[str], report: RunReport
) -> dict[str, PairSummary]:
    """By partition key, as the tables have them now."""
    rows = connection.execute(
        """
        select
            pairs.partition_key,
            count(distinct mentions.mention_id) as documents,
            count(findings.finding_id) filter (where findings.level > 0) as findings,
            count(findings.finding_id) filter (
                where findings.level > 0 and findings.quote_verified
            ) as verified,
            max(findings.level) filter (where findings.quote_verified) as highest_level,
            max(assessments.response_id) as last_response_id,
            (
                select briefs.text from risk.current_briefs as briefs
                where briefs.supplier_id = pairs.supplier_id and briefs.country = pairs.country
            ) as brief
        from risk.pairs
        left join risk.current_mentions as mentions using (supplier_id, country)
        left join risk.current_assessments as assessments using (mention_id)
        left join risk.findings using (assessment_id)
        where pairs.partition_key = any(%s)
        group by pairs.supplier_id, pairs.country, pairs.partition_key
        """,
        [list(keys)],
    )
    found = {row.pop("partition_key"): row for row in rows}
    return {key: PairSummary(**found[key], spent=report.pair(key)) for key in keys}


def outstanding(connection: Connection) -> list[str]:
    """One line for each reason that keeps messages from being scored, the most frequent first."""
    rows = connection.execute(
        """
        select reason, count(*) as items from (
            select
                case when step = 'landing' then 'rejected: ' else 'dead: ' end || reason as reason
            from risk.dead_letters where state = 'open'
            union all
            select 'pending after ' || items.last_error_class from risk.work_items as items
            left join risk.generations using (generation_id)
            where
                items.state in ('pending', 'claimed') and items.last_error_class is not null
                and generations.kind is distinct from 'replay'
        ) as reasons
        group by reason
        order by items desc, reason
        limit 20
        """
    )
    return [f"{row['items']} {row['reason']}" for row in rows]


def open_letters(connection: Connection) -> dict[str, int]:
    """Dead letters that nobody tried again or dropped."""
    return dict(
        one(
            connection,
            "select count(*) filter (where step <> 'landing') as dead,"
            " count(*) filter (where step = 'landing') as rejected"
            " from risk.dead_letters where state = 'open'",
        )
    )


def quotes(connection: Connection) -> tuple[int, int]:
    """Findings that count, and how many of them have a quote that is not in the document."""
    row = one(
        connection,
        """
        select count(*) as findings, count(*) filter (where not findings.quote_verified) as bad
        from risk.current_assessments
        inner join risk.findings using (assessment_id)
        where findings.level > 0
        """,
    )
    return row["findings"], row["bad"]
