"""One tick of the sensor, in a process that a test may let die, with the settings of the
environment."""

import dagster as dg

from orchestration.publishing.alerts_jobs import alerts_sensor
from orchestration.resources.dagster import Postgres


def tick() -> str:
    """What the tick says."""
    context = dg.build_sensor_context(resources={"postgres": Postgres()})
    said = alerts_sensor(context)
    assert isinstance(said, dg.SkipReason)
    return said.skip_message or ""


if __name__ == "__main__":
    tick()
