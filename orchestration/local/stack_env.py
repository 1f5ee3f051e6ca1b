"""The values of `stack.env`: passwords that stay, addresses of this start, and who gets which."""

from collections.abc import Mapping

from orchestration.errors import UsageError
from orchestration.local import analyst_part, postgres
from orchestration.local.state import State
from orchestration.settings import (
    DBT_TARGET_VARIABLE,
    STATE_VARIABLE,
    LlmSettings,
    LocalSettings,
    environment,
)

_PASSWORDS = (
    "POSTGRES_SUPERUSER_PASSWORD",
    "POSTGRES_MIGRATOR_PASSWORD",
    "POSTGRES_PIPELINE_PASSWORD",
    "POSTGRES_TRANSFORMER_PASSWORD",
    "POSTGRES_BI_READER_PASSWORD",
    "DAGSTER_POSTGRES_PASSWORD",
)
# The project id changes when the emulator restarts: Dagster reads it from the file each time. The
# passwords of those who own the schema are the supervisor's alone.
_NOT_FOR_DAGSTER = {
    "PUBSUB_PROJECT_ID",
    "POSTGRES_SUPERUSER_PASSWORD",
    "POSTGRES_MIGRATOR_PASSWORD",
}


def compose(state: State, ports: Mapping[str, int], brought: LocalSettings) -> dict[str, str]:
    """All values of this start; passwords and project id are those of the last one."""
    known = state.read_env()
    env = {name: known.get(name) or postgres.new_password() for name in _PASSWORDS}
    env |= {
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(ports["postgres"]),
        "POSTGRES_DATABASE": postgres.DATABASE,
        "DAGSTER_POSTGRES_USER": "dagster",
        "DAGSTER_POSTGRES_DATABASE": postgres.DAGSTER_DATABASE,
        "DAGSTER_HOME": str(state.dagster_home),
        "LLM_CALL_URL": f"http://127.0.0.1:{ports['calls']}/calls/{{}}",
        "PUBSUB_EMULATOR_HOST": brought.pubsub_emulator_host or f"127.0.0.1:{ports['emulator']}",
    }
    if "PUBSUB_PROJECT_ID" in known:
        env["PUBSUB_PROJECT_ID"] = known["PUBSUB_PROJECT_ID"]
    if brought.llm_base_url is None:
        env |= analyst_part.environment(ports["analyst"])
    return env


def for_dagster(state: State, env: Mapping[str, str]) -> dict[str, str]:
    """For Dagster's processes and their runs: what the user's shell says, then the stack's own."""
    own = {name: value for name, value in env.items() if name not in _NOT_FOR_DAGSTER}
    places = {STATE_VARIABLE: str(state.folder), DBT_TARGET_VARIABLE: str(state.dbt_target)}
    return {**environment(), **own, **places}


def what_is_brought() -> LocalSettings:
    """What the user brings instead of the stack's own parts. Raises UsageError if it is half."""
    brought = LocalSettings.load()
    model = (brought.llm_base_url, brought.llm_api_key, brought.llm_model)
    if any(model) and not all(model):
        raise UsageError(
            "Only some of LLM_BASE_URL, LLM_API_KEY and LLM_MODEL are set: set all three to use a "
            "real model, such as LLM_BASE_URL=https://api.openai.com/v1; or none for the offline "
            "analyst"
        )
    if all(model):
        LlmSettings.load()
    return brought
