"""Generations: which prompts and which model wrote an assessment.

The stream's generation is opened when prompts or model change, not per run; older ones stay, but
what was still to do in them is done in the new one.
"""

from psycopg.types.json import Jsonb

from orchestration.resources.postgres import Connection, one
from orchestration.scoring import prompts


def open_stream(connection: Connection, model: str) -> int:
    """The id of the live generation of today's prompts and this model; opened if it is new."""
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('risk.generations'))")
        for prompt in prompts.ALL:
            prompts.register(connection, prompt)
        generation_id = find_stream(connection, model) or _open(connection, model)
        _move_open_work(connection, generation_id)
    return generation_id


def find_stream(connection: Connection, model: str) -> int | None:
    """The newest live generation of the stream, if it is of today's prompts and this model."""
    newest = connection.execute(
        "select generation_id, model, prompt_versions from risk.generations"
        " where kind = 'stream' and status = 'live' order by generation_id desc limit 1"
    ).fetchone()
    if newest and (newest["model"], newest["prompt_versions"]) == (model, prompts.versions()):
        return int(newest["generation_id"])
    return None


def _open(connection: Connection, model: str) -> int:
    opened = one(
        connection,
        "insert into risk.generations (kind, status, model, prompt_versions)"
        " values ('stream', 'live', %s, %s) returning generation_id",
        [model, Jsonb(prompts.versions())],
    )
    return int(opened["generation_id"])


def _move_open_work(connection: Connection, generation_id: int) -> None:
    """Queue the open items of older stream generations in this one and close them there.

    Not only once: a run of the older generation may still be under way and queue some more. It
    loses what it had claimed, but not what it is writing at this moment; that is skipped. A brief
    that is known here may not know what that run found.
    """
    connection.execute(
        """
        with open_items as (
            select items.item_id
            from risk.work_items as items
            inner join risk.generations using (generation_id)
            where
                items.state in ('pending', 'claimed')
                and generations.kind = 'stream' and generations.generation_id < %(generation)s
            order by items.item_id
            for update of items skip locked
        ),

        moved as (
            update risk.work_items
            set state = 'done', outcome = 'moved', finished_at = now()
            from open_items
            where work_items.item_id = open_items.item_id
            returning
                work_items.subject_type, work_items.subject_id, work_items.step,
                work_items.priority
        )

        insert into risk.work_items (subject_type, subject_id, step, generation_id, priority)
        select subject_type, subject_id, step, %(generation)s::bigint, min(priority) from moved
        group by subject_type, subject_id, step
        order by subject_id
        on conflict (subject_type, subject_id, step, generation_id) do update
        set state = 'pending', attempts = 0, available_at = now()
        where work_items.step = 'briefs' and work_items.state in ('claimed', 'done', 'dead')
        """,
        {"generation": generation_id},
    )
