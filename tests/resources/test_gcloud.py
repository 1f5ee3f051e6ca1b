"""The commands as a shell understands them, whatever the names are."""

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.resources import gcloud
from orchestration.resources.pubsub_wanted import Wanted
from orchestration.settings import PubsubSettings

HOSTILE = "x'; touch /tmp/owned; $(id) `id` \" \\ *"
_GCLOUD = """gcloud() {
    case "$1 $2" in
        "projects describe") echo 123 ;;
        "config get-value") echo me@acme.example ;;
        *) printf '%s\\n' "$@" ;;
    esac
}
"""


def words(command: str) -> list[str]:
    """What gcloud would be called with, by a real shell."""
    done = subprocess.run(
        ["/bin/bash", "-c", _GCLOUD + command], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1))
def test_a_name_is_one_word_of_its_command(name: str) -> None:
    assert shlex.split(gcloud.create_topic(name)) == ["gcloud", "pubsub", "topics", "create", name]
    assert shlex.split(gcloud.make_pull(name))[4] == name
    assert shlex.split(gcloud.update_subscription(name, ["--a=b"]))[4:] == [name, "--a=b"]
    assert shlex.split(gcloud.show_policy(name))[4] == name
    assert shlex.split(gcloud.project_number_of(name))[3] == name


@pytest.mark.parametrize("project", ["acme", HOSTILE])
def test_the_shell_puts_the_number_of_the_project_into_the_service_agent(project: str) -> None:
    topic = f"projects/{project}/topics/dead"
    agent = gcloud.service_agent(project, None)
    assert words(gcloud.grant(topic, agent, "roles/pubsub.publisher")) == [
        *("pubsub", "topics", "add-iam-policy-binding", topic, "--role=roles/pubsub.publisher"),
        "--member=serviceAccount:service-123@gcp-sa-pubsub.iam.gserviceaccount.com",
    ]


def test_an_account_is_a_service_account_or_whoever_is_logged_in() -> None:
    name = "projects/acme/subscriptions/news"
    known = gcloud.grant(name, gcloud.member_of("a b@acme"), "roles/x")
    unknown = gcloud.grant(name, gcloud.member_of(None), "roles/x")
    assert words(known)[1:3] == ["subscriptions", "add-iam-policy-binding"]
    assert words(known)[-1] == "--member=serviceAccount:a b@acme"
    assert words(unknown)[-1] == "--member=user:me@acme.example"
    assert words(gcloud.grant_on_project("acme", "roles/x")) == [
        *("projects", "add-iam-policy-binding", "acme", "--role=roles/x"),
        "--member=user:me@acme.example",
    ]


def test_a_subscription_is_created_with_all_that_is_wanted_of_it() -> None:
    wanted = Wanted.of(PubsubSettings(project_id="acme")).subscription
    assert words(gcloud.create_subscription(wanted)) == [
        *("pubsub", "subscriptions", "create", "projects/acme/subscriptions/supplier-news-ingest"),
        "--topic=projects/acme/topics/supplier-news",
        "--ack-deadline=60",
        "--expiration-period=never",
        "--message-retention-duration=604800s",
        "--min-retry-delay=10s",
        "--max-retry-delay=600s",
        "--dead-letter-topic=projects/acme/topics/supplier-news-dead",
        "--max-delivery-attempts=10",
        "--enable-message-ordering",
    ]
    recreate = words(gcloud.recreate_subscription(wanted))
    assert recreate[:4] == ["pubsub", "subscriptions", "delete", wanted.name]
    assert recreate[4:] == words(gcloud.create_subscription(wanted))
