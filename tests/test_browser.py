"""The Dagster UI in a real browser (Debian's chromium), as an engineer uses it."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, sync_playwright

from tests.conftest import FINDINGS_PROMPT
from tests.local.stack import LocalStack, eventually, local_stack

pytestmark = pytest.mark.slow

CHROMIUM_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STATES = "select count(*) from risk.message_states where state = '{}'"


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """Four pairs; the document of siemens@CL is corrected and names no supplier any more."""
    with local_stack() as stack:
        stack.up()
        stack.publish_records(
            "A",
            {"text": "ABB Ltd recalls switches in Peru.", "external_id": "1"},
            {"text": "Siemens recalls valves in Chile.", "external_id": "2"},
            {"text": "Siemens recalls pumps in Mexico.", "external_id": "3"},
            {"text": "Airbus recalls doors in Spain.", "external_id": "4"},
        )
        eventually("batch A scored", lambda: stack.rows(STATES.format("scored")) == [(4,)])
        stack.publish_records("B", {"text": "Nothing happened.", "external_id": "2", "version": 2})
        eventually("batch B landed", lambda: stack.rows(STATES.format("no_supplier")) == [(1,)])
        yield stack


@pytest.fixture
def page(stack: LocalStack) -> Iterator[Page]:
    chromium = shutil.which("chromium")
    assert chromium is not None, "chromium is needed: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(
            viewport={"width": 1600, "height": 1000},
            base_url=stack.running().address("webserver"),
        )
        page.set_default_timeout(30_000)
        yield page
        browser.close()


def hinted(text: str, supplier: str, country: str) -> dict[str, Any]:
    """Of a publisher who says who is meant: nothing is asked before the findings."""
    return {"text": text, "supplier_hints": [{"supplier": supplier, "country": country}]}


def open_backfill_dialog(page: Page) -> None:
    page.goto("/assets/risk_findings?view=partitions")
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_role("button", name="Confirm").click()
    page.get_by_text("Select a partition or create one").click()


def choose(page: Page, *keys: str) -> None:
    for key in keys:
        page.get_by_role("menuitem").filter(has_text=key).first.click()


def launch(page: Page, stack: LocalStack) -> dict[str, Any]:
    """Launch and wait for the end of the backfill."""
    known = {backfill["id"] for backfill in backfills(stack)}
    page.get_by_role("button", name="Launch backfill").click()

    def ended() -> dict[str, Any] | None:
        new = [backfill for backfill in backfills(stack) if backfill["id"] not in known]
        done = [b for b in new if b["status"].startswith(("COMPLETED", "FAILED", "CANCELED"))]
        return done[0] if done else None

    result: dict[str, Any] = eventually("the end of the backfill", ended)
    return result


def backfills(stack: LocalStack) -> list[dict[str, Any]]:
    answer = stack.graphql(
        "{ partitionBackfillsOrError(limit: 20) { ... on PartitionBackfills { results"
        " { id status numPartitions partitionNames error { message } } } } }"
    )
    found: list[dict[str, Any]] = answer["partitionBackfillsOrError"]["results"]
    return found


def newest_metadata(stack: LocalStack, key: str) -> dict[str, Any]:
    answer = stack.graphql(
        """query($key: [String!]) { assetNodeOrError(assetKey: {path: ["risk_findings"]}) {
            ... on AssetNode { assetMaterializations(partitions: $key, limit: 1) { runId
                metadataEntries { label ... on IntMetadataEntry { intValue } } } } } }""",
        key=[key],
    )
    (event,) = answer["assetNodeOrError"]["assetMaterializations"]
    return {"run": event["runId"]} | {
        e["label"]: e.get("intValue") for e in event["metadataEntries"]
    }


def test_the_graph_leads_from_the_topic_to_the_marts(page: Page) -> None:
    page.goto("/asset-groups")
    for group in ("ingestion", "scoring", "policy", "staging", "intermediate", "marts"):
        page.get_by_text(group, exact=True).first.wait_for()


def test_a_partition_shows_its_documents_findings_cost_and_a_link_to_the_call(
    page: Page,
) -> None:
    page.goto("/assets/risk_findings?view=partitions&partition=abb%40PE")
    for label in ("documents", "findings", "cost_usd", "paid_calls"):
        page.get_by_text(label, exact=True).first.wait_for()
    link = page.locator("a[href*='/calls/']").first
    with page.context.expect_page() as opened:
        link.click()
    opened.value.get_by_text("ABB Ltd recalls switches in Peru.").first.wait_for()


def test_a_backfill_of_three_pairs_one_without_documents_ends_green_and_pays_nothing(
    page: Page, stack: LocalStack
) -> None:
    before = stack.rows("select count(*) from llm.attempts")
    open_backfill_dialog(page)
    choose(page, "abb@PE", "siemens@CL", "siemens@MX")
    page.keyboard.press("Escape")
    backfill = launch(page, stack)
    assert backfill["status"] == "COMPLETED_SUCCESS", backfill
    assert sorted(backfill["partitionNames"]) == ["abb@PE", "siemens@CL", "siemens@MX"]
    assert stack.rows("select count(*) from llm.attempts") == before
    full, empty = (newest_metadata(stack, key) for key in ("abb@PE", "siemens@CL"))
    assert (full["documents"], full["findings"], full["paid_calls"]) == (1, 1, 0)
    assert (empty["documents"], empty["findings"], empty["paid_calls"]) == (0, 0, 0)


def test_failed_and_missing_partitions_are_made_good_by_one_backfill(
    page: Page, stack: LocalStack
) -> None:
    faults = stack.running().address("analyst").removesuffix("/v1") + "/faults"
    refusal = {"kind": "refusal", "contains": FINDINGS_PROMPT}
    assert requests.post(faults, json=[refusal], timeout=5).ok
    stack.publish_records(
        "F",
        hinted("ABB Ltd recalls fuses in Peru.", "abb", "PE"),
        hinted("Airbus recalls gears in Norway.", "airbus", "NO"),
    )
    dead = "select count(*) from risk.message_states where batch_id = 'F' and state = 'dead'"
    eventually("both documents dead", lambda: stack.rows(dead) == [(2,)])
    open_backfill_dialog(page)
    choose(page, "abb@PE", "siemens@MX")
    page.keyboard.press("Escape")
    assert launch(page, stack)["status"] == "COMPLETED_FAILED"
    requests.delete(faults, timeout=5)
    page.goto("/assets/risk_findings?view=partitions")
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("button", name="Failed and missing").click()
    backfill = launch(page, stack)
    assert backfill["status"] == "COMPLETED_SUCCESS", backfill
    assert sorted(backfill["partitionNames"]) == ["abb@PE", "airbus@NO"]
    new = [newest_metadata(stack, key)["documents_scored_now"] for key in ("abb@PE", "airbus@NO")]
    assert new == [1, 1]


def test_a_replay_from_the_launchpad_ends_green_and_tells_its_pair_so(
    page: Page, stack: LocalStack
) -> None:
    page.goto("/locations/supplier_risk/jobs/replay/playground")
    page.locator(".CodeMirror").first.click()
    page.keyboard.press("Control+A")
    wanted = "{suppliers: [airbus], countries: [ES], fresh: true, reason: a browser}"
    page.keyboard.insert_text("ops: {replay_documents: {config: " + wanted + "}}")
    page.get_by_text("No errors").wait_for()
    page.get_by_role("button", name="Launch Run").click()
    page.wait_for_url("**/runs/*")
    page.get_by_text("RUN_SUCCESS").first.wait_for(timeout=90_000)
    assert newest_metadata(stack, "airbus@ES")["run"] == page.url.rpartition("/")[2]
    replays = "select status, reason from risk.generations where kind = 'replay'"
    assert stack.rows(replays) == [("shadow", "a browser")]


def test_a_partition_added_by_hand_that_is_no_observed_pair_fails_with_a_clear_sentence(
    page: Page, stack: LocalStack
) -> None:
    before = newest_metadata(stack, "airbus@ES")
    open_backfill_dialog(page)
    choose(page, "airbus@ES")
    page.get_by_text("Add partition", exact=True).click()
    page.get_by_placeholder("name").last.fill("nobody@ZZ")
    page.get_by_role("button", name="Save").click()
    backfill = launch(page, stack)
    assert backfill["status"] == "COMPLETED_FAILED", backfill
    assert newest_metadata(stack, "airbus@ES")["run"] != before["run"]
    failures = stack.graphql(
        "{ logsForFailedRun: runsOrError(filter: {statuses: [FAILURE]}, limit: 1) { ... on Runs {"
        " results { runId eventConnection { events { ... on ExecutionStepFailureEvent"
        " { error { message } } } } } } } }"
    )["logsForFailedRun"]["results"]
    messages = [e["error"]["message"] for e in failures[0]["eventConnection"]["events"] if e]
    assert any("no document mentions this supplier in this country" in m for m in messages)
    stack.publish("C", "Airbus recalls wings in Spain.")
    scored = "select state from risk.message_states where batch_id = 'C'"
    eventually("the next document scored", lambda: stack.rows(scored) == [("scored",)])
