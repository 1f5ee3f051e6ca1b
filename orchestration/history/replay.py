"""Replays: documents that were read before are read again, all or some of them.

With the stream's own prompts and model, what it lacks is done; whatever it has is paid already.
With another model, or asked anew, a generation of its own is written, in the shadow until somebody
promotes it. Here a replay is planned and opened, which queues its work; replay_work.py does it.
"""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from psycopg.types.json import Jsonb

from orchestration.errors import UsageError
from orchestration.history.selection import Selection, check, condition, demand
from orchestration.ingestion import work_items
from orchestration.resources.postgres import Connection, one
from orchestration.scoring import findings, generations, ledger, prices, prompts
from orchestration.scoring.steps import Run
from orchestration.settings import LlmSettings

_CHARACTERS_PER_TOKEN = 4
_USUAL_ANSWER_TOKENS = 300
_LOCK = "select pg_advisory_xact_lock(hashtext('risk.generations'))"


@dataclass(frozen=True)
class Wish:
    """What somebody wants to be read again, by which model (None: the configured one), and why.
    `is_fresh` asks even what the cache knows."""

    selection: Selection
    reason: str
    made_by: str
    model: str | None = None
    is_fresh: bool = False
    everything: bool = False


@dataclass(frozen=True)
class Plan:
    """What a replay would do. `done` mentions are assessed by these prompts and this model already;
    of the calls about the others so many are answered by the cache. Tokens and `cost_usd` are
    estimates of what is left to ask, without briefs; None: nobody knows the price."""

    generation_id: int | None
    model: str
    mentions: int
    pairs: int
    done: int
    calls: int
    from_cache: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None

    @property
    def is_of_the_stream(self) -> bool:
        """Whether it adds to what the stream wrote instead of writing a generation of its own."""
        return self.generation_id is not None


@dataclass(frozen=True)
class Opened:
    """A generation with its work queued. `kind`: stream or replay."""

    generation_id: int
    kind: str
    mentions: int
    pairs: int

    def __str__(self) -> str:
        return (
            f"generation {self.generation_id} ({self.kind}): {self.mentions:,} documents of "
            f"{self.pairs:,} pairs are queued"
        )


def plan(connection: Connection, llm: LlmSettings, wish: Wish) -> Plan:
    """What it would take, whatever the reason; nothing is written or asked. Raises UsageError as
    `open_replay`."""
    mentions = _wanted(connection, wish)
    llm = llm.of_model(wish.model or llm.model)
    stream = None if wish.is_fresh else generations.find_stream(connection, llm.model)
    done = set() if stream is None else _assessed(connection, stream, list(mentions))
    left = [mention_id for mention_id in mentions if mention_id not in done]
    run = Run(connection, llm, "plan", stream or 0, 1, wish.is_fresh)
    calls = list(findings.questions(run, left))
    known = ledger.find_cached(connection, [call.cache_key for call in calls])
    asked = {call.cache_key: call for call in calls if call.cache_key not in known}
    characters = [sum(len(m["content"]) for m in one.request.messages) for one in asked.values()]
    input_tokens = sum(characters) // _CHARACTERS_PER_TOKEN
    output_tokens = len(asked) * _usual_answer_tokens(connection, llm.model)
    return Plan(
        generation_id=stream,
        model=llm.model,
        mentions=len(mentions),
        pairs=len(set(mentions.values())),
        done=len(done),
        calls=len(asked),
        from_cache=len(calls) - len(asked),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=prices.price_usd(llm, input_tokens, 0, output_tokens),
    )


def open_replay(connection: Connection, llm: LlmSettings, wish: Wish) -> Opened:
    """Queue what is wanted. Raises UsageError where nothing is selected, everything without being
    asked for, a name exists nowhere, or no reason is given; nothing is written then."""
    if not wish.reason.strip():
        raise UsageError("Say why: --reason is kept with the replay.")
    mentions = _wanted(connection, wish)
    model = wish.model or llm.model
    with connection.transaction():
        stream = None if wish.is_fresh else generations.find_stream(connection, model)
        generation_id = stream or _open(connection, model, wish)
        work_items.enqueue(connection, "mention", list(mentions), "findings", generation_id)
        if stream:
            states = ("dead", "pending")
            work_items.reopen(connection, list(mentions), "findings", stream, states)
    kind = "stream" if stream else "replay"
    return Opened(generation_id, kind, len(mentions), len(set(mentions.values())))


def opened_by(connection: Connection, made_by: str) -> int | None:
    """The replay that somebody opened last."""
    row = connection.execute(
        "select max(generation_id) as generation_id from risk.generations where opened_by = %s",
        [made_by],
    ).fetchone()
    return row["generation_id"] if row else None


def _wanted(connection: Connection, wish: Wish) -> dict[UUID, UUID]:
    """Mentions with their pairs."""
    check(connection, wish.selection)
    rows = connection.execute(
        """
        select mentions.mention_id, pairs.pair_id
        from risk.current_mentions as mentions
        inner join risk.pairs using (supplier_id, country)
        inner join ingest.documents using (document_id)
        left join risk.current_assessments as assessments using (mention_id)
        left join risk.generations
            on generations.generation_id = assessments.generation_id
        where """
        + condition(wish.selection, of_writing=False)
        + " order by pairs.partition_key, mentions.mention_id",
        wish.selection.parameters(),
    )
    found = {row["mention_id"]: row["pair_id"] for row in rows}
    total = one(connection, "select count(*) as n from risk.current_mentions")["n"]
    demand(wish.selection, len(found), total, wish.everything, "documents of suppliers")
    return found


def _assessed(connection: Connection, generation_id: int, mention_ids: list[UUID]) -> set[UUID]:
    rows = connection.execute(
        "select mention_id from risk.assessments where generation_id = %s and mention_id = any(%s)",
        [generation_id, mention_ids],
    )
    return {row["mention_id"] for row in rows}


def _usual_answer_tokens(connection: Connection, model: str) -> int:
    """The mean of the last answers about findings, of this model if it gave any."""
    row = one(
        connection,
        """
        select coalesce(
            avg(output_tokens) filter (where model = %s), avg(output_tokens), %s
        )::integer as tokens
        from (
            select attempts.output_tokens, requests.model
            from llm.attempts
            inner join llm.requests using (cache_key)
            where requests.step = 'risk_findings' and attempts.outcome = 'ok'
            order by attempts.attempt_id desc
            limit 1000
        ) as latest
        """,
        [model, _USUAL_ANSWER_TOKENS],
    )
    return int(row["tokens"])


def _open(connection: Connection, model: str, wish: Wish) -> int:
    connection.execute(_LOCK)
    for prompt in prompts.ALL:
        prompts.register(connection, prompt)
    row = one(
        connection,
        """
        insert into risk.generations (
            kind, status, model, prompt_versions, scope, reason, opened_by, is_fresh
        )
        values ('replay', 'shadow', %s, %s, %s, %s, %s, %s)
        returning generation_id
        """,
        [
            model,
            Jsonb(prompts.versions()),
            Jsonb(wish.selection.given()),
            wish.reason,
            wish.made_by,
            wish.is_fresh,
        ],
    )
    return int(row["generation_id"])
