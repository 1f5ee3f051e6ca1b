"""What is read from policies: who may do what, and what is not known."""

import pytest
from google.iam.v1.policy_pb2 import Binding, Policy
from google.type.expr_pb2 import Expr

from orchestration.resources.pubsub_grants import of_own_account, of_service_agent
from orchestration.settings import PubsubSettings

TOPIC = "projects/acme/topics/supplier-news-dead"
SUBSCRIPTION = "projects/acme/subscriptions/supplier-news-ingest"
PUBLISHER = "roles/pubsub.publisher"
AGENT = "serviceAccount:service-123@gcp-sa-pubsub.iam.gserviceaccount.com"
FOREIGN = "serviceAccount:service-456@gcp-sa-pubsub.iam.gserviceaccount.com"
KNOWN = PubsubSettings(project_id="acme", project_number=123)
UNKNOWN = PubsubSettings(project_id="acme")


def policy(role: str, *members: str, condition: str = "") -> Policy:
    return Policy(
        bindings=[Binding(role=role, members=members, condition=Expr(expression=condition))]
    )


def test_a_permission_that_this_account_has_is_ok() -> None:
    found = of_own_account(TOPIC, "pubsub.topics.publish", ["pubsub.topics.publish"], None)
    assert (found.is_ok, found.part) == (True, "pubsub.topics.publish on supplier-news-dead")


def test_a_permission_that_this_account_lacks_comes_with_the_command_that_grants_it() -> None:
    found = of_own_account(SUBSCRIPTION, "pubsub.subscriptions.consume", [], "p@acme.iam")
    assert found.state == "wrong"
    assert found.fix == (
        f"gcloud pubsub subscriptions add-iam-policy-binding {SUBSCRIPTION} "
        "--role=roles/pubsub.subscriber --member=serviceAccount:p@acme.iam"
    )


@pytest.mark.parametrize("role", [PUBLISHER, "roles/pubsub.editor", "roles/pubsub.admin"])
def test_pubsubs_own_account_may_hold_the_role_or_more(role: str) -> None:
    found = of_service_agent(TOPIC, PUBLISHER, policy(role, "user:a@b.c", AGENT), KNOWN)
    assert found.is_ok


@pytest.mark.parametrize(
    "granted",
    [
        Policy(),
        policy(PUBLISHER, "user:a@b.c"),
        policy(PUBLISHER, FOREIGN),
        policy("roles/pubsub.viewer", AGENT),
        policy(PUBLISHER, AGENT, condition="request.time < timestamp('2020-01-01T00:00:00Z')"),
    ],
)
def test_a_missing_grant_of_pubsubs_own_account_is_named_with_its_command(granted: Policy) -> None:
    found = of_service_agent(TOPIC, PUBLISHER, granted, KNOWN)
    assert found.state == "wrong"
    assert found.fix == (
        f"gcloud pubsub topics add-iam-policy-binding {TOPIC} --role={PUBLISHER} --member={AGENT}"
    )


def test_without_the_number_of_the_project_a_grant_is_unknown_and_none_at_all_is_wrong() -> None:
    found = of_service_agent(TOPIC, PUBLISHER, policy(PUBLISHER, AGENT), UNKNOWN)
    assert (found.state, AGENT in found.what) == ("unknown", True)
    assert found.fix == "gcloud projects describe acme '--format=value(projectNumber)'"
    found = of_service_agent(TOPIC, PUBLISHER, Policy(), UNKNOWN)
    assert found.state == "wrong"
    assert "service-\"$(gcloud projects describe acme '--format=value" in found.fix


def test_a_policy_that_may_not_be_read_is_unknown_with_the_commands_that_see_and_grant() -> None:
    found = of_service_agent(TOPIC, PUBLISHER, None, KNOWN)
    see, grant = found.fix.splitlines()
    assert found.state == "unknown"
    assert see == f"gcloud pubsub topics get-iam-policy {TOPIC}"
    assert grant.startswith("gcloud pubsub topics add-iam-policy-binding")
