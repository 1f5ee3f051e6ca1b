"""Google's Pub/Sub emulator: find its jar, start it, give it a topic and a subscription.

Its state is in memory and its message ids start at 1 again after a restart, so each life of the
emulator gets a project id of its own: new messages never look like redeliveries of old ones.
"""

import secrets
import shutil
import socket
from pathlib import Path

from orchestration.errors import StackError
from orchestration.local.processes import Part
from orchestration.resources.pubsub import GooglePubsub
from orchestration.settings import LocalSettings, PubsubSettings

_JARS = "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar"
_HOW_TO_GET_IT = (
    "Google's Pub/Sub emulator was not found: install it with `gcloud components install "
    "pubsub-emulator` (or the package google-cloud-cli-pubsub-emulator) and Java 11 or newer, set "
    "PUBSUB_EMULATOR_JAR to its jar, or set PUBSUB_EMULATOR_HOST to an emulator that already runs."
)


def part(port: int, log: Path, settings: LocalSettings) -> Part:
    """The emulator's process: the jar itself, as gcloud's wrapper would orphan it."""
    java = shutil.which("java")
    jar = find_jar(settings)
    if java is None or jar is None:
        raise StackError(_HOW_TO_GET_IT)
    options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    address = ["--host=127.0.0.1", f"--port={port}"]
    return Part(
        name="emulator", command=[java, *options, "-jar", str(jar), *address], log=log, env={}
    )


def find_jar(settings: LocalSettings) -> Path | None:
    """The newest emulator jar: PUBSUB_EMULATOR_JAR, else the Google Cloud SDK of `gcloud`."""
    if settings.pubsub_emulator_jar is not None:
        return settings.pubsub_emulator_jar if settings.pubsub_emulator_jar.is_file() else None
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        return None
    launcher = Path(gcloud).resolve()
    roots = [launcher.parent.parent, Path("/usr/lib/google-cloud-sdk")]
    jars = [jar for root in roots for jar in sorted(root.glob(_JARS))]
    return jars[-1] if jars else None


def answers(host: str) -> bool:
    """Whether something listens at host:port."""
    name, _, port = host.rpartition(":")
    try:
        with socket.create_connection((name, int(port)), timeout=1):
            return True
    except (OSError, ValueError):
        return False


def prepare(host: str, previous_project: str | None) -> PubsubSettings:
    """Topic and subscription in the project of this emulator's life.

    The previous project is kept while the emulator still knows its topic; else a new id is minted.
    """
    if previous_project is not None:
        settings = PubsubSettings(project_id=previous_project, emulator_host=host)
        with GooglePubsub(settings) as broker:
            if broker.topic_exists():
                broker.create_topic_and_subscription()
                return settings
    settings = PubsubSettings(project_id=f"local-{secrets.token_hex(4)}", emulator_host=host)
    with GooglePubsub(settings) as broker:
        broker.create_topic_and_subscription()
    return settings
