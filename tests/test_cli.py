"""The command line as a person meets it: sentences, tables, exit codes."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from orchestration.resources.postgres import Connection
from orchestration.resources.pubsub import GooglePubsub
from tests.conftest import Analyst
from tests.scoring.scenario import RECALL, land_texts, run


def supplier_risk(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestration.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )


def test_publish_sends_the_valid_reports_the_rest_and_sums_up(
    broker: GooglePubsub, tmp_path: Path
) -> None:
    path = tmp_path / "news.jsonl"
    path.write_text('{"text": "one"}\nnot json [red]\n{"text": "two"}\n')
    done = supplier_risk("publish", str(path), "--batch-id", "b1")
    assert done.returncode == 0
    assert "2 published to supplier-news, 1 refused; batch b1" in done.stdout
    assert "news.jsonl, line 2: not_json: not JSON: Expecting value" in done.stderr
    assert len(broker.pull(10, timeout=5)) == 2


def test_nothing_is_published_when_one_of_the_paths_cannot_be_used(
    broker: GooglePubsub, tmp_path: Path
) -> None:
    good = tmp_path / "news.jsonl"
    good.write_text('{"text": "one"}\n')
    done = supplier_risk("publish", str(good), str(tmp_path / "missing.jsonl"))
    assert done.returncode == 2
    assert "missing.jsonl" in done.stderr
    assert broker.pull(10, timeout=1) == []


def test_publish_says_when_dates_are_not_the_real_ones(
    broker: GooglePubsub, tmp_path: Path
) -> None:
    path = tmp_path / "news.jsonl"
    path.write_text('{"text": "one", "published_at": "2010-01-01"}')
    done = supplier_risk("publish", str(path), "--redate", "30")
    assert "Dates are not the real ones" in done.stdout
    (message,) = broker.pull(10, timeout=5)
    assert json.loads(message.data)["original_published_at"] == "2010-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["publish", "missing.jsonl"], 2, "There is no missing.jsonl"),
        (["publish", "x.jsonl", "--batch-id", "b" * 201], 2, "longer than 200 characters"),
        (["publish", "x.jsonl", "--batch-id", "a\tb"], 2, "printable"),
        (["publish", "x.jsonl", "--ordering-key", "k" * 1025], 2, "longer than 1,024 bytes"),
        (["publish"], 2, "Missing argument"),
        (["publish", "x.jsonl", "--redate", "0"], 2, "--redate"),
        (["nonsense"], 2, "nonsense"),
        (["suppliers", "load", "missing.csv"], 2, "There is no supplier master at missing.csv"),
        (["call", "999"], 2, "There is no answer 999"),
        (["local", "logs", "nothing"], 2, "There is no log of 'nothing'"),
        (["local", "status"], 1, "The stack does not run"),
        (["local", "down"], 0, "The stack does not run"),
    ],
)
def test_wrong_use_is_a_sentence_and_an_exit_code(
    broker: GooglePubsub, connection: Connection, arguments: list[str], code: int, words: str
) -> None:
    done = supplier_risk(*arguments)
    assert done.returncode == code, done.stderr
    assert words in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr


def test_without_settings_the_first_step_is_named() -> None:
    done = supplier_risk("status")
    assert done.returncode == 2
    assert "POSTGRES_HOST is not set" in done.stderr
    assert "supplier-risk local up" in " ".join(done.stderr.split())


def test_an_unreachable_database_is_a_sentence(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_PORT", "1")
    done = supplier_risk("status")
    assert done.returncode == 1
    assert "PostgreSQL cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unreachable_broker_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PUBSUB_PROJECT_ID", "p")
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    path = tmp_path / "news.jsonl"
    path.write_text('{"text": "one"}')
    done = supplier_risk("publish", str(path))
    assert done.returncode == 1
    assert "PUBSUB_EMULATOR_HOST" in done.stderr
    assert "Traceback" not in done.stderr


def test_pubsub_check_names_what_is_missing_and_setup_makes_it(
    emulator_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBSUB_PROJECT_ID", f"cli-{uuid.uuid4().hex[:8]}")
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", emulator_host)
    before = supplier_risk("pubsub", "check")
    assert before.returncode == 1
    project = os.environ["PUBSUB_PROJECT_ID"]
    assert (
        f"\ngcloud pubsub topics create projects/{project}/topics/supplier-news\n" in before.stdout
    )
    done = supplier_risk("pubsub", "setup")
    assert done.returncode == 0, done.stdout
    assert f"created projects/{project}/subscriptions/supplier-news-dead-ingest" in done.stdout
    assert "the emulator has no IAM; not checked" in done.stdout
    assert "nothing to change" in supplier_risk("pubsub", "setup").stdout
    assert supplier_risk("pubsub", "check").returncode == 0


@pytest.mark.parametrize("command", ["setup", "check"])
def test_an_unreachable_broker_is_a_sentence_of_pubsub_setup_and_check_too(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("PUBSUB_PROJECT_ID", "acme")
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    done = supplier_risk("pubsub", command)
    assert done.returncode == 1
    assert "PUBSUB_EMULATOR_HOST" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_and_call_show_what_happened(connection: Connection, analyst: Analyst) -> None:
    land_texts(connection, RECALL, "Nobody.")
    run(connection, analyst.settings)
    totals = json.loads(supplier_risk("status", "--json").stdout)["totals"]
    assert (totals["received"], totals["scored"], totals["no_supplier"]) == (2, 1, 1)
    shown = supplier_risk("status").stdout
    assert "received" in shown
    assert "$0.00" in shown
    call = supplier_risk("call", "1").stdout
    assert "Acme Corp recalls 500 valves" in call
    assert "offline-analyst-1" in call


def test_suppliers_load_says_what_changed(connection: Connection) -> None:
    assert "450 suppliers, 450 changed" in supplier_risk("suppliers", "load").stdout
    assert "450 suppliers, 0 changed" in supplier_risk("suppliers", "load").stdout


def test_db_upgrade_can_be_repeated(connection: Connection) -> None:
    assert supplier_risk("db", "upgrade").returncode == 0
