"""Dagster's three processes (code server, webserver, daemon) and questions to them over HTTP."""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import requests
from grpc_health.v1 import health_pb2, health_pb2_grpc

from orchestration.local.processes import Part
from orchestration.settings import REPOSITORY

_BIN = Path(sys.executable).parent
LOCATION = "supplier_risk"


def prepare_home(home: Path, code_port: int) -> None:
    """DAGSTER_HOME in the state folder: the instance's settings and where the code server is."""
    home.mkdir(exist_ok=True)
    home.chmod(0o700)
    shutil.copy(REPOSITORY / "dagster.yaml", home / "dagster.yaml")
    server = {"host": "127.0.0.1", "port": code_port, "location_name": LOCATION}
    (home / "workspace.yaml").write_text(json.dumps({"load_from": [{"grpc_server": server}]}))


def code_server(port: int, log: Path, env: Mapping[str, str]) -> Part:
    """The process that holds definitions, evaluates sensors and launches runs."""
    command = [str(_BIN / "dagster"), "api", "grpc", "-m", "orchestration.definitions"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--location-name", LOCATION]
    return Part("code-server", command, log, env, patience=15.0)


def webserver(home: Path, port: int, log: Path, env: Mapping[str, str]) -> Part:
    """The UI, on 127.0.0.1 as it asks for no password."""
    command = [str(_BIN / "dagster-webserver"), "-w", str(home / "workspace.yaml")]
    command += ["-h", "127.0.0.1", "-p", str(port)]
    return Part("webserver", command, log, env)


def daemon(home: Path, log: Path, env: Mapping[str, str]) -> Part:
    """Sensors, automation conditions, backfills and the run queue."""
    command = [str(_BIN / "dagster-daemon"), "run", "-w", str(home / "workspace.yaml")]
    return Part("daemon", command, log, env)


def code_server_is_ready(port: int) -> bool:
    """Whether the definitions are loaded."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        request = health_pb2.HealthCheckRequest(service="DagsterApi")
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=2)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def webserver_is_ready(port: int) -> bool:
    """Whether the UI answers and sees the code location."""
    try:
        answer = graphql(
            port, "{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }"
        )
    except (OSError, RuntimeError):
        return False
    entries = answer["workspaceOrError"].get("locationEntries", [])
    return bool(entries) and all(entry["loadStatus"] == "LOADED" for entry in entries)


def daemon_is_ready(port: int, since: float) -> bool:
    """Whether every daemon that is required reports a heartbeat of its own.

    `since` (seconds since 1970) is its start: its predecessor's last words count for half an hour.
    """
    try:
        answer = graphql(
            port,
            "{ instance { daemonHealth { allDaemonStatuses"
            " { required healthy lastHeartbeatTime } } } }",
        )
    except (OSError, RuntimeError):
        return False
    daemons = answer["instance"]["daemonHealth"]["allDaemonStatuses"]
    return all(
        status["healthy"] and (status["lastHeartbeatTime"] or 0.0) >= since
        for status in daemons
        if status["required"]
    )


def unfinished_runs(port: int) -> int:
    """Runs that are queued or under way."""
    answer = graphql(
        port,
        "{ runsOrError(filter: {statuses: [QUEUED, NOT_STARTED, STARTING, STARTED, CANCELING]})"
        " { ... on Runs { results { runId } } } }",
    )
    return len(answer["runsOrError"]["results"])


def graphql(port: int, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Ask the webserver. Raises OSError when it does not answer, RuntimeError on a bad query."""
    url = f"http://127.0.0.1:{port}/graphql"
    response = requests.post(url, json={"query": query, "variables": variables or {}}, timeout=10)
    answer = response.json()
    if response.status_code != 200 or answer.get("errors"):
        raise RuntimeError(f"Dagster could not answer: {answer}")
    data: dict[str, Any] = answer["data"]
    return data
