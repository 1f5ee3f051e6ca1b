"""What the scoring assets do, once, in a process that a test may kill at any moment.

The settings come from the environment, as they do in Dagster's own processes.
"""

import sys

from orchestration.resources.postgres import connect
from orchestration.scoring import mentions
from orchestration.scoring.generations import open_stream
from orchestration.scoring.run import score
from orchestration.scoring.steps import Run
from orchestration.settings import IngestSettings, LlmSettings, PostgresSettings


def one_run(run_id: str) -> None:
    """Everything that is pending."""
    llm, limits = LlmSettings.load(), IngestSettings.load()
    with connect(PostgresSettings.load(), "one_run") as connection:
        generation_id = open_stream(connection, llm.model)
        mentions.resolve_pending(
            Run(connection, llm, run_id, generation_id, limits.max_item_attempts)
        )
        score(connection, llm, limits, run_id, targets=None)


if __name__ == "__main__":
    one_run(sys.argv[1])
