"""One tick of the sensor and the run that it asks for, in a process that a test may let die.

The settings come from the environment, as they do in Dagster's own processes.
"""

import dagster as dg

from orchestration.definitions import defs
from orchestration.ingestion.assets import supplier_news_sensor
from orchestration.job_names import SCORE_PENDING
from orchestration.resources.dagster import LlmEndpoint, Postgres, Pubsub
from orchestration.scoring.assets import FINDINGS


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
        assert job.execute_in_process(instance=instance).success
        return set(instance.get_materialized_partitions(FINDINGS))


if __name__ == "__main__":
    one_pass()
