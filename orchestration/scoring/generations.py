"""Generations: which prompts and which model wrote an assessment.

The stream's generation is opened when prompts or model change, not per run; older ones stay.
"""

from psycopg.types.json import Jsonb

from orchestration.resources.postgres import Connection, one
from orchestration.scoring import prompts


def open_stream(connection: Connection, model: str) -> int:
    """The id of the live generation of today's prompts and this model; opened if it is new."""
    versions = {
        prompt.step: prompt.version for prompt in (prompts.RISK_FINDINGS, prompts.RISK_BRIEFS)
    }
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('risk.generations'))")
        prompts.register(connection, prompts.RISK_FINDINGS)
        prompts.register(connection, prompts.RISK_BRIEFS)
        newest = connection.execute(
            "select generation_id, model, prompt_versions from risk.generations"
            " where kind = 'stream' and status = 'live' order by generation_id desc limit 1"
        ).fetchone()
        if newest and (newest["model"], newest["prompt_versions"]) == (model, versions):
            return int(newest["generation_id"])
        opened = one(
            connection,
            "insert into risk.generations (kind, status, model, prompt_versions)"
            " values ('stream', 'live', %s, %s) returning generation_id",
            [model, Jsonb(versions)],
        )
        return int(opened["generation_id"])
