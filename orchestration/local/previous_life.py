"""What a stack that was killed (a power cut) left behind as if it still went on.

A stack that starts has no run yet: what Dagster believes under way is not, and what was claimed is
free. Without this, the sensor would wait for the run, and the work for the end of its lease.
"""

from orchestration.local.dagster_parts import graphql
from orchestration.resources.postgres import Connection

# QUEUED runs are not among them: they start as soon as the daemon does.
_RUNS = """{ runsOrError(filter: {statuses: [NOT_STARTED, STARTING, STARTED, CANCELING]})
    { __typename ... on Runs { results { runId } } } }"""
_CANCEL = """mutation($runs: [String!]!) { terminateRuns(
    runIds: $runs, terminatePolicy: MARK_AS_CANCELED_IMMEDIATELY) { __typename } }"""


def cancel_runs(port: int) -> None:
    """Mark as canceled every run that never ended. Call it before the daemon starts."""
    runs = [run["runId"] for run in graphql(port, _RUNS)["runsOrError"].get("results", [])]
    if runs:
        graphql(port, _CANCEL, {"runs": runs})


def end_leases(connection: Connection) -> None:
    """Let what was claimed be claimed again at once; the attempt counts, as for any lost lease."""
    connection.execute(
        "update risk.work_items set lease_until = now(), available_at = now()"
        " where state = 'claimed'"
    )
