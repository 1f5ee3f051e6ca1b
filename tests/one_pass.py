"""One tick of the sensors and the run that it asks for, in a process that a test may let die; with
`forever`, again and again, whatever fails, as the daemon does.

The settings come from the environment, as they do in Dagster's own processes.
"""

import sys

import dagster as dg

from orchestration.definitions import defs
from orchestration.ingestion.assets import supplier_news_sensor
from orchestration.ingestion.dead_letter_jobs import dead_letter_sensor
from orchestration.job_names import SCORE_PENDING
from orchestration.resources.dagster import LlmEndpoint, Postgres, Pubsub
from orchestration.scoring.assets import FINDINGS

_QUIETLY = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}


def one_pass() -> set[str]:
    """The partition keys that the run reported to Dagster; none when no run was asked for."""
    with dg.DagsterInstance.ephemeral() as instance:
        ticked = supplier_news_sensor(
            dg.build_sensor_context(instance=instance),
            pubsub=Pubsub(),
            postgres=Postgres(),
            llm=LlmEndpoint(),
        )
        assert isinstance(ticked, dg.SensorResult)
        if not ticked.run_requests:
            return set()
        job = defs.resolve_job_def(SCORE_PENDING)
        assert job.execute_in_process(instance=instance, run_config=_QUIETLY).success
        return set(instance.get_materialized_partitions(FINDINGS))


def forever() -> None:
    """Passes until the process is killed; a pass that fails is followed by the next."""
    while True:
        for step in (one_pass, exchange_dead_letters):
            try:
                step()
            except Exception as error:  # the daemon logs it and ticks again, too
                sys.stderr.write(f"{error!r}\n")


def exchange_dead_letters() -> None:
    """One tick of the other sensor."""
    dead_letter_sensor(postgres=Postgres(), pubsub=Pubsub())


if __name__ == "__main__":
    forever() if sys.argv[1:] == ["forever"] else one_pass()
