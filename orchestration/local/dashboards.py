"""Superset beside the running stack: its database, its secrets, its process. What it shows and who
may see it is in superset/; Superset itself is in an environment of its own (.venv-superset).
"""

import hashlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping

import requests
import yaml

from orchestration.errors import StackError, UsageError
from orchestration.local import postgres
from orchestration.local.processes import Part, is_alive
from orchestration.local.state import State
from orchestration.settings import REPOSITORY, bare_environment

SOURCE = REPOSITORY / "superset"
ENVIRONMENT = REPOSITORY / ".venv-superset"
NAME = "superset"
_ACCOUNT_OF_DAGSTER = "dagster"
WAREHOUSE = (
    "POSTGRES_HOST",
    "POSTGRES_PORT",
    "POSTGRES_DATABASE",
    "POSTGRES_BI_READER_PASSWORD",
)
_SERVE_SECONDS = 120.0


def users() -> dict[str, str]:
    """Who can log in, and what they see, as superset/access.yaml says."""
    access = yaml.safe_load((SOURCE / "access.yaml").read_text())
    buyers = {
        name: f"suppliers of {' and '.join(map(str, of))}" for name, of in access["buyers"].items()
    }
    return {**access["accounts"], **buyers}


def password_variable(user: str) -> str:
    """The variable of the environment that holds a user's password."""
    return "SUPERSET_PASSWORD_" + re.sub(r"\W", "_", user).upper()


def secrets(state: State) -> dict[str, str]:
    """Superset's secrets and database, made once and kept, readable by their owner only.

    The database has the name that superset.env says, if it says one.
    """
    known = state.read_superset_env()
    database = known.get("SUPERSET_POSTGRES_DATABASE") or postgres.SUPERSET_DATABASE
    names = ["SUPERSET_SECRET_KEY", "SUPERSET_POSTGRES_PASSWORD", *map(password_variable, users())]
    values = {name: known.get(name) or postgres.new_password() for name in names}
    values |= {
        "SUPERSET_POSTGRES_USER": database,
        "SUPERSET_POSTGRES_DATABASE": database,
        "SUPERSET_CACHE_DIR": str(state.folder / "superset-cache"),
    }
    if values != known:
        state.write_superset_env(values)
    return values


def environment(state: State) -> dict[str, str]:
    """All that provisioning gets besides the bare environment: Superset's own secrets, the people's
    passwords, and the role that may only read the marts."""
    stack = state.read_env()
    return {
        **{name: stack[name] for name in WAREHOUSE},
        **secrets(state),
        "SUPERSET_CONFIG_PATH": str(SOURCE / "superset_config.py"),
    }


def _without_passwords_of_people(env: Mapping[str, str]) -> dict[str, str]:
    """Once they are hashed in its database, Superset needs none."""
    people = {password_variable(user) for user in users()}
    return {name: value for name, value in env.items() if name not in people}


def logins(state: State) -> list[tuple[str, str, str]]:
    """User, password and what the user sees, for each person who can log in."""
    known = secrets(state)
    people = {user: what for user, what in users().items() if user != _ACCOUNT_OF_DAGSTER}
    return [(user, known[password_variable(user)], what) for user, what in people.items()]


def provision(state: State) -> bool:
    """Make Superset's database what superset/ says; False if it was so already. Takes 20 s or so.

    Raises UsageError if Superset is not installed, StackError with its last words.
    """
    if not (ENVIRONMENT / "bin" / "superset").exists():
        raise UsageError(f"Superset is not installed in {ENVIRONMENT}: `make dashboards` does it.")
    env = environment(state)
    stamp = state.folder / "superset-provisioned.txt"
    digest = _digest(env)
    if stamp.exists() and stamp.read_text() == digest:
        return False
    _create_database(state, env["SUPERSET_POSTGRES_DATABASE"], env["SUPERSET_POSTGRES_PASSWORD"])
    log = state.logs / "superset-provision.log"
    with log.open("wb") as output:
        done = subprocess.run(
            [ENVIRONMENT / "bin" / "python", SOURCE / "provision.py"],
            env={**bare_environment(), **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if done.returncode != 0:
        last_words = "\n".join(log.read_text(errors="replace").strip().splitlines()[-6:])
        raise StackError(f"Superset could not be provisioned ({log}):\n{last_words}")
    stamp.write_text(digest)
    return True


def _create_database(state: State, name: str, password: str) -> None:
    stack = state.read_env()
    cluster = postgres.Cluster(
        state.folder, int(stack["POSTGRES_PORT"]), stack["POSTGRES_SUPERUSER_PASSWORD"]
    )
    with cluster.connect("postgres") as connection:
        postgres.create_owned_database(connection, name, password)


def _digest(env: Mapping[str, str]) -> str:
    """Of all that provisioning depends on."""
    files = sorted(path for path in SOURCE.rglob("*") if path.suffix in {".py", ".yaml", ".lock"})
    content = hashlib.sha256(repr(sorted(env.items())).encode())
    for file in files:
        content.update(f"{file.relative_to(SOURCE)}\n".encode() + file.read_bytes())
    return content.hexdigest()


def part(state: State, port: int) -> Part:
    """Superset's web server, on 127.0.0.1. The stack can do without it."""
    command = [str(ENVIRONMENT / "bin" / "gunicorn"), "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", "2", "--worker-class", "gthread", "--threads", "4"]
    command += ["--timeout", "120", "--graceful-timeout", "5", "--no-control-socket"]
    command += ["superset.app:create_app()"]
    log = state.logs / f"{NAME}.log"
    env = _without_passwords_of_people(environment(state))
    return Part(NAME, command, log, env, patience=15.0, optional=True)


def for_dagster(state: State, port: int) -> dict[str, str]:
    """How Dagster reaches Superset: an account that may clear the cache and nothing else."""
    return {
        "SUPERSET_URL": f"http://127.0.0.1:{port}",
        "SUPERSET_USERNAME": _ACCOUNT_OF_DAGSTER,
        "SUPERSET_PASSWORD": secrets(state)[password_variable(_ACCOUNT_OF_DAGSTER)],
    }


def is_ready(port: int) -> bool:
    """Whether Superset answers."""
    try:
        return requests.get(f"http://127.0.0.1:{port}/health", timeout=5).ok
    except requests.RequestException:
        return False


def reload(state: State) -> None:
    """Have a Superset that is served already read its settings anew (gunicorn's SIGHUP)."""
    running = state.read_stack()
    for part in running.parts if running else ():
        if part.name == NAME and is_alive(part.stop.pid, part.stop.created):
            os.kill(part.stop.pid, signal.SIGHUP)


def _address(state: State) -> str | None:
    """Where the running stack serves Superset. Raises StackError once it is stopped."""
    parts = state.started().parts
    return next((part.address for part in parts if part.name == NAME), None)


def serve(state: State) -> str:
    """Have the supervisor of the running stack serve Superset; its address, once it answers.

    Raises StackError when it does not come.
    """
    if _address(state) is None:
        state.ask_for_dashboards(state.started().stack_id)
    deadline = time.monotonic() + _SERVE_SECONDS
    while time.monotonic() < deadline:
        address = _address(state)
        if address and is_ready(int(address.rpartition(":")[2])):
            return address
        time.sleep(0.2)
    raise StackError(
        f"Superset did not answer in {_SERVE_SECONDS:.0f} s; read {state.logs / f'{NAME}.log'}"
    )
