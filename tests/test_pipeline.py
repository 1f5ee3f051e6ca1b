"""The whole way through the real daemon: a message goes in, a row of a mart comes out.

One stack serves all tests of this file, in their order.
"""

import html
import os
import shutil
import subprocess
from collections.abc import Iterator

import psutil
import pytest
import requests

from tests.local.stack import LocalStack, as_set, eventually, local_stack

SCORED = "select state from risk.message_states where batch_id = '{}'"
RECALL = "Siemens recalls 500 valves in Mexico."
GCLOUD_NEWS = '{"text": "ABB Ltd recalls switches in Peru after a fire.", "source": "gcloud"}'


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with local_stack() as stack:
        stack.up()
        yield stack


def test_a_message_becomes_a_row_of_a_mart_by_sensor_daemon_and_automation(
    stack: LocalStack,
) -> None:
    stack.publish("A", RECALL, "Nobody is named here.")
    row = eventually(
        "a score for siemens@MX",
        lambda: stack.rows(
            "select score, band, keywords from marts.supplier_risk_current"
            " where supplier_id = 'siemens' and country = 'MX' and dimension = 'overall'"
        ),
    )[0]
    assert float(row[0]) > 0
    assert "recalls" in row[2]
    assert stack.rows(
        "select evidence_quote from marts.risk_events where supplier_id = 'siemens'"
    ) == [(RECALL,)]
    assert stack.rows(
        "select received, scored, no_supplier, gap from marts.pipeline_reconciliation"
    ) == [(2, 1, 1, 0)]


def test_the_pair_is_a_partition_with_metadata_and_the_checks_are_green(
    stack: LocalStack,
) -> None:
    answer = stack.graphql(
        """{ assetNodeOrError(assetKey: {path: ["risk_findings"]}) { ... on AssetNode {
            partitionKeys
            assetMaterializations(limit: 1) { partition metadataEntries { label __typename
                ... on IntMetadataEntry { intValue } ... on UrlMetadataEntry { url } } }
            assetChecksOrError { ... on AssetChecks { checks { name
                executionForLatestMaterialization { status } } } }
        } } }"""
    )["assetNodeOrError"]
    assert answer["partitionKeys"] == ["siemens@MX"]
    (event,) = answer["assetMaterializations"]
    metadata = {e["label"]: e.get("intValue", e.get("url")) for e in event["metadataEntries"]}
    assert event["partition"] == "siemens@MX"
    assert (metadata["documents"], metadata["findings"], metadata["paid_calls"]) == (1, 1, 2)
    page = requests.get(metadata["newest_call"], timeout=10)
    assert page.status_code == 200
    assert RECALL in html.unescape(page.text)
    checks = answer["assetChecksOrError"]["checks"]
    assert {c["name"] for c in checks} == {
        "reconciliation",
        "outstanding",
        "quotes_verified",
        "agreement_with_humans",
    }
    for check in checks:
        assert check["executionForLatestMaterialization"]["status"] == "SUCCEEDED"


def test_a_message_of_the_gcloud_command_goes_the_same_way(stack: LocalStack) -> None:
    gcloud = shutil.which("gcloud")
    assert gcloud is not None, "gcloud is needed: it is the other official client of this test"
    env = stack.state.read_env()
    done = subprocess.run(
        [
            *(gcloud, "pubsub", "topics", "publish", "supplier-news"),
            *("--project", env["PUBSUB_PROJECT_ID"]),
            *("--message", GCLOUD_NEWS, "--attribute", "batch_id=gcloud"),
        ],
        env={
            **os.environ,
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB": f"http://{env['PUBSUB_EMULATOR_HOST']}/",
            "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "true",
        },
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    eventually("a score for abb@PE", lambda: stack.rows(SCORED.format("gcloud")) == [("scored",)])


def test_after_a_restart_of_the_emulator_old_and_new_messages_are_scored(
    stack: LocalStack,
) -> None:
    before = stack.state.read_env()["PUBSUB_PROJECT_ID"]
    killed = stack.pid("emulator")
    psutil.Process(killed).kill()
    eventually(
        "a restarted emulator with a project of its own",
        lambda: (
            stack.state.read_env()["PUBSUB_PROJECT_ID"] != before
            and stack.running().ready
            and stack.pid("emulator") != killed
        ),
    )
    stack.publish("B", "Siemens recalls 600 pumps in Chile.")
    eventually("batch B scored", lambda: stack.rows(SCORED.format("B")) == [("scored",)])
    assert as_set(stack.rows(SCORED.format("A"))) == {"scored", "no_supplier"}
    subscriptions = as_set(stack.rows("select distinct subscription from ingest.messages"))
    assert len(subscriptions) == 2
