"""The parts of the local stack: which ones, in what order, with what to do when one has started.

Order: PostgreSQL, emulator and analyst together; then the databases, the topic and the dbt
manifest; then Dagster. Each step waits until the part itself answers.
"""

from collections.abc import Callable
from pathlib import Path

from orchestration.errors import StackError
from orchestration.ingestion import suppliers
from orchestration.ingestion.supplier_csv import read_csv
from orchestration.local import (
    analyst_part,
    call_pages,
    dagster_parts,
    dashboards,
    emulator,
    postgres,
    previous_life,
    stack_env,
)
from orchestration.local.state import State
from orchestration.local.supervisor import Child, Supervisor
from orchestration.migrations import upgrade
from orchestration.resources.postgres import connect
from orchestration.settings import IngestSettings, PostgresSettings
from orchestration.transformation.project import ensure_manifest

_PORTS = ("postgres", "emulator", "analyst", "calls", "code-server", "webserver", "superset")


class Stack(Supervisor):
    """One run of the local stack over one state folder."""

    def __init__(self, state: State, say: Callable[[str], None]) -> None:
        super().__init__(state, say)
        self.brought = stack_env.what_is_brought()
        self.holds_messages = False

    def up(self) -> None:
        """Start everything. Raises StackError naming the part and its log."""
        self.state.create()
        self.ports = self.state.ports(_PORTS)
        self.env = stack_env.compose(self.state, self.ports, self.brought)
        self.state.write_env(self.env)
        self.cluster = postgres.Cluster(
            self.state.folder, self.ports["postgres"], self.env["POSTGRES_SUPERUSER_PASSWORD"]
        )
        self.guard()
        self._start_stores()
        self._start_dagster()
        self.write_stack(ready=True)

    def pause(self, seconds: float) -> None:
        """Let time pass, restart what ended, and serve Superset once somebody asks for it."""
        super().pause(seconds)
        if self.state.take_wish_for_dashboards(self.stack_id):
            self._launch_dashboards()

    @property
    def owns_emulator(self) -> bool:
        """Whether messages that are not landed are lost with this stack."""
        return self.brought.pubsub_emulator_host is None

    def _start_stores(self) -> None:
        self.cluster.initialise()
        first = [self._launch_postgres()]
        if self.owns_emulator:
            first.append(self._launch_emulator())
        if self.brought.llm_base_url is None:
            first.append(self._launch_analyst())
        dagster_env = stack_env.for_dagster(self.state, self.env)
        ensure_manifest(dagster_env, self.state.dbt_target)
        for child in first:
            self.until_ready(child)
        if not self.owns_emulator:
            self._prepare_topic()
        self.holds_messages = self.owns_emulator
        with connect(PostgresSettings.load(), "local stack") as connection:
            previous_life.end_leases(connection)

    def _start_dagster(self) -> None:
        home = self.state.dagster_home
        dagster_parts.prepare_home(home, self.ports["code-server"])
        code, web = self.ports["code-server"], self.ports["webserver"]
        env = stack_env.for_dagster(self.state, self.env)
        calls = self._launch_call_pages()
        server = self.launch(
            dagster_parts.code_server(code, self._log("code-server"), env),
            f"127.0.0.1:{code}",
            lambda _: dagster_parts.code_server_is_ready(code),
        )
        self.until_ready(calls)
        self.until_ready(server)
        webserver = self.launch(
            dagster_parts.webserver(home, web, self._log("webserver"), env),
            f"http://127.0.0.1:{web}",
            lambda _: dagster_parts.webserver_is_ready(web),
        )
        self.until_ready(webserver)
        previous_life.cancel_runs(web)
        daemon = self.launch(
            dagster_parts.daemon(home, self._log("daemon"), env),
            "-",
            lambda since: dagster_parts.daemon_is_ready(web, since),
        )
        self.until_ready(daemon)

    def _launch_postgres(self) -> Child:
        return self.launch(
            self.cluster.part(self._log("postgres")),
            f"127.0.0.1:{self.cluster.port}",
            lambda _: self.cluster.is_ready(),
            self._prepare_database,
        )

    def _launch_emulator(self) -> Child:
        host = self.env["PUBSUB_EMULATOR_HOST"]
        return self.launch(
            emulator.part(self.ports["emulator"], self._log("emulator"), self.brought),
            host,
            lambda _: emulator.answers(host),
            self._prepare_topic,
        )

    def _launch_analyst(self) -> Child:
        port = self.ports["analyst"]
        return self.launch(
            analyst_part.part(port, self._log("analyst")),
            f"http://127.0.0.1:{port}/v1",
            lambda _: analyst_part.is_ready(port),
        )

    def _launch_call_pages(self) -> Child:
        port = self.ports["calls"]
        return self.launch(
            call_pages.part(port, self._log("calls"), self.state.folder),
            self.env["LLM_CALL_URL"].removesuffix("{}"),
            lambda _: call_pages.is_ready(port),
        )

    def _launch_dashboards(self) -> None:
        """Nothing waits for it, and nothing ends without it; Dagster reads where it is from
        stack.env."""
        port = self.ports["superset"]
        try:
            self.launch(
                dashboards.part(self.state, port),
                f"http://127.0.0.1:{port}",
                lambda _: dashboards.is_ready(port),
            )
        except (StackError, OSError) as error:
            self.say(f"{dashboards.NAME} is given up; the others go on. {error}")
            return
        self.env |= dashboards.for_dagster(self.state, port)
        self.state.write_env(self.env)
        self.write_stack(ready=True)

    def _prepare_database(self) -> None:
        self.cluster.create_databases(
            self.env["POSTGRES_MIGRATOR_PASSWORD"], self.env["DAGSTER_POSTGRES_PASSWORD"]
        )
        settings = PostgresSettings.load()
        upgrade(settings)
        with connect(settings, "local stack") as connection:
            if not suppliers.current_suppliers(connection):
                suppliers.load(connection, read_csv(IngestSettings.load().suppliers_csv))

    def _prepare_topic(self) -> None:
        previous = self.env.get("PUBSUB_PROJECT_ID")
        settings = emulator.prepare(self.env["PUBSUB_EMULATOR_HOST"], previous)
        self.env["PUBSUB_PROJECT_ID"] = settings.project_id
        self.state.write_env(self.env)

    def _log(self, name: str) -> Path:
        return self.state.logs / f"{name}.log"
