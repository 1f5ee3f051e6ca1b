"""One scoring run over whatever is pending, in a process that a test may kill at any moment.

The settings come from the environment, as they do in Dagster's own processes.
"""

import sys

from orchestration.resources.postgres import connect
from orchestration.settings import LlmSettings, PostgresSettings
from tests.scoring.scenario import run

if __name__ == "__main__":
    with connect(PostgresSettings.load(), "one_run") as connection:
        run(connection, LlmSettings.load(), run_id=sys.argv[1])
