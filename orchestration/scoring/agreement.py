"""How far people agree with what was found, by model and prompt, and when that is too little.

What they say of single findings is written in the room `history`.
"""

from dataclasses import dataclass

from orchestration.resources.postgres import Connection, one
from orchestration.scoring.intervals import wilson
from orchestration.settings import HistorySettings


@dataclass(frozen=True)
class Agreement:
    """Labels of people on what one model found with one prompt, and how many of them agree."""

    model: str
    prompt_version: str
    labels: int
    agreed: int

    @property
    def share(self) -> float | None:
        """Of the labels those that agree, 0 to 1; None without labels."""
        return self.agreed / self.labels if self.labels else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's interval of the share at 95 %; None without labels."""
        return wilson(self.agreed, self.labels) if self.labels else None

    def shortfall(self, settings: HistorySettings) -> str | None:
        """A sentence where there are enough labels to judge by, and too few of them agree."""
        if self.share is None or self.labels < settings.min_labels:
            return None
        if self.share >= settings.min_agreement:
            return None
        return (
            f"People agree with {self.agreed:,} of {self.labels:,} labelled answers of "
            f"{self.model} with {self.prompt_version} ({self.share:.1%}), less than "
            f"HISTORY_MIN_AGREEMENT asks for ({settings.min_agreement:.1%})."
        )


def agreement(connection: Connection) -> list[Agreement]:
    """One for each model and prompt version that has labels; the newest generation's first."""
    rows = connection.execute(
        """
        select
            model, coalesce(prompt_version, '-') as prompt_version,
            sum(labels)::bigint as labels, sum(agreed)::bigint as agreed
        from risk.agreement
        group by model, prompt_version
        order by max(generation_id) desc
        """
    )
    return [Agreement(**row) for row in rows]


def of_live_stream(connection: Connection) -> Agreement | None:
    """Of the model and prompt version that the stream asks now, in whatever generation; None
    without such a generation."""
    row = connection.execute(
        """
        with live as (
            select model, prompt_versions ->> 'risk_findings' as prompt_version
            from risk.generations
            where kind = 'stream' and status = 'live'
            order by generation_id desc
            limit 1
        )

        select
            live.model, coalesce(live.prompt_version, '-') as prompt_version,
            coalesce(sum(found.labels), 0)::bigint as labels,
            coalesce(sum(found.agreed), 0)::bigint as agreed
        from live
        left join risk.agreement as found
            on
                live.model = found.model
                and live.prompt_version is not distinct from found.prompt_version
        group by live.model, live.prompt_version
        """
    ).fetchone()
    return Agreement(**row) if row else None


def shortfall(connection: Connection, generation_id: int, settings: HistorySettings) -> str | None:
    """A sentence where people agree too little with this generation; None where they agree, or
    where it has too few labels to say. Raises LookupError for a generation that does not exist."""
    row = one(
        connection,
        """
        select
            generations.model,
            coalesce(generations.prompt_versions ->> 'risk_findings', '-') as prompt_version,
            coalesce(found.labels, 0) as labels,
            coalesce(found.agreed, 0) as agreed
        from risk.generations
        left join risk.agreement as found using (generation_id)
        where generations.generation_id = %s
        """,
        [generation_id],
    )
    return Agreement(**row).shortfall(settings)
