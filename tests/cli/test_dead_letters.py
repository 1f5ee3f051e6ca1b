"""`supplier-risk dead-letters` as a person meets it: tables, bytes, questions, exit codes."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.ingestion.dead_letters import Filter, find
from orchestration.ingestion.landing import land, land_from
from orchestration.ingestion.message import Document
from orchestration.resources.broker import Message
from orchestration.resources.postgres import Connection
from orchestration.resources.pubsub import GooglePubsub
from orchestration.scoring.checks import violations
from tests.conftest import FINDINGS_PROMPT, Analyst
from tests.ingestion.test_landing import LIMIT, SUBSCRIPTION, message
from tests.scoring.scenario import RECALL, land_texts, run


def dead_letters(*arguments: str, answers: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "dead-letters", *arguments],
        capture_output=True,
        text=True,
        input=answers,
        check=False,
        env=dict(os.environ),
    )


def words(text: str) -> str:
    """Without the line breaks of a narrow terminal."""
    return " ".join(text.split())


def refuse(connection: Connection, *messages: Message) -> list[str]:
    """Land what is no document; returns the ids of the dead letters, the oldest first."""
    before = {row["dead_letter_id"] for row in find(connection, Filter())}
    for one in messages:
        land(connection, SUBSCRIPTION, [one], LIMIT)
    ids = [row["dead_letter_id"] for row in reversed(find(connection, Filter()))]
    return [one for one in ids if one not in before]


def let_die(connection: Connection, analyst: Analyst) -> str:
    """One document whose findings the model refuses; returns the id of the dead letter."""
    land_texts(connection, RECALL)
    analyst.fail_with({"kind": "refusal", "times": 1, "contains": FINDINGS_PROMPT})
    run(connection, analyst.settings)
    analyst.recover()
    (row,) = find(connection, Filter(reason="refusal"))
    return str(row["dead_letter_id"])


def open_ids(connection: Connection) -> set[str]:
    return {row["dead_letter_id"] for row in find(connection, Filter())}


def test_the_list_shows_id_step_and_reason_of_refused_messages_and_dead_work(
    connection: Connection, analyst: Analyst
) -> None:
    item = let_die(connection, analyst)
    (refused,) = refuse(connection, message(b"no json", batch_id="poison"))
    done = dead_letters("list")
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert lines[refused].split()[1:4] == ["landing", "not_json", "1"]
    assert "batch poison" in lines[refused]
    assert lines[item].split()[1:4] == ["findings", "refusal", "1"]
    assert "acme@MX" in lines[item]
    assert "2 open" in done.stdout


def test_the_list_is_narrowed_by_reason_supplier_batch_and_time(
    connection: Connection, analyst: Analyst
) -> None:
    item = let_die(connection, analyst)
    (refused,) = refuse(connection, message(b"no json", batch_id="poison"))
    now = datetime.now(UTC)
    hour_ago = f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}"

    def listed(*arguments: str) -> set[str]:
        shown = dead_letters("list", *arguments).stdout
        return {one for one in (item, refused) if one in shown.split()}

    assert listed("--reason", "refusal") == {item}
    assert listed("--supplier", "acme") == {item}
    assert listed("--batch", "poison") == {refused}
    assert listed("--since", hour_ago) == {item, refused}
    assert listed("--before", hour_ago) == set()
    assert listed("--supplier", "acme", "--batch", "poison") == set()


def test_a_list_with_a_limit_says_that_there_are_more(connection: Connection) -> None:
    refuse(connection, message(b"no json"), message(b"nor this"))
    assert "2 open, 1 of them shown" in dead_letters("list", "--limit", "1").stdout


def test_an_empty_list_is_no_failure(connection: Connection) -> None:
    done = dead_letters("list")
    assert done.returncode == 0
    assert "0 open" in done.stdout


def test_show_prints_bytes_and_attributes_without_control_characters(
    connection: Connection,
) -> None:
    data = b"\x1b]0;owned\x07\x1b[2Jnot json \xe2\x80\xae[red]\xff\r"
    (refused,) = refuse(connection, message(data, batch_id="poison", note="[b]\x1b[31mlook"))
    done = dead_letters("show", refused)
    assert done.returncode == 0, done.stderr
    assert "not_json" in done.stdout or "not_utf8" in done.stdout
    assert "]0;owned[2Jnot json [red]\\xff" in done.stdout
    assert "note = [b][31mlook" in done.stdout
    assert f"data ({len(data)} bytes)" in done.stdout
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(done.stdout)


def test_show_of_a_long_message_says_what_is_left_out(connection: Connection) -> None:
    (refused,) = refuse(connection, message(b"x" * 3_000))
    assert "data (3,000 bytes, the first 2,000)" in dead_letters("show", refused).stdout


def test_show_of_dead_work_names_pair_reason_and_error(
    connection: Connection, analyst: Analyst
) -> None:
    item = let_die(connection, analyst)
    shown = words(dead_letters("show", item).stdout)
    assert item in shown
    assert "reason refusal" in shown
    assert "last_error the model refused" in shown
    assert "supplier_id acme country MX" in shown


def test_redrive_publishes_a_refused_message_anew_and_queues_dead_work_anew(
    connection: Connection, analyst: Analyst, broker: GooglePubsub
) -> None:
    item = let_die(connection, analyst)
    news = Document(text="Acme Corp opens a plant in Peru.", external_id="big").to_json()
    big = message(news, batch_id="b2")
    land(connection, SUBSCRIPTION, [big], max_document_bytes=10)
    (refused,) = open_ids(connection) - {item}
    done = dead_letters("redrive", item, refused)
    assert done.returncode == 0, done.stderr
    assert "2 tried again" in done.stdout
    assert open_ids(connection) == set()
    assert land_from(broker, connection, 10, LIMIT) == {"document": 1}
    run(connection, analyst.settings)
    rows = connection.execute("select state, count(*) as n from risk.message_states group by 1")
    assert {row["state"]: row["n"] for row in rows} == {"scored": 2, "rejected": 1}
    assert violations(connection) == {}


def test_redrive_with_a_filter_leaves_the_others(
    connection: Connection, analyst: Analyst, broker: GooglePubsub
) -> None:
    let_die(connection, analyst)
    (refused,) = refuse(connection, message(b"no json"))
    assert "1 tried again" in dead_letters("redrive", "--reason", "refusal").stdout
    assert open_ids(connection) == {refused}


def test_redrive_of_all_takes_every_open_one(connection: Connection, broker: GooglePubsub) -> None:
    refuse(connection, message(b"no json"), message(b"nor this"))
    assert "2 tried again" in dead_letters("redrive", "--all").stdout
    assert open_ids(connection) == set()
    assert land_from(broker, connection, 10, LIMIT) == {"rejection": 2}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["redrive"], "Say which: ids, --reason"),
        (["drop", "--yes"], "Say which: ids, --reason"),
        (["redrive", "--all", "--reason", "not_json"], "leave out the other choices"),
        (["drop", "--all", "message-1"], "leave out the other choices"),
        (["show", "message-99"], "message-99"),
        (["show", "item-99"], "item-99"),
        (["show", "99"], "no id of a dead letter"),
        (["redrive", "item-99"], "No open dead letter has the id item-99"),
        (["redrive", "item-\x1b[31m"], "no id of a dead letter"),
        (["drop", "message-99", "--yes"], "No open dead letter has the id message-99"),
        (["list", "--since", "yesterday"], "--since"),
        (["list", "--limit", "0"], "--limit"),
    ],
)
def test_wrong_use_is_a_sentence_and_exit_code_2_and_changes_nothing(
    connection: Connection, broker: GooglePubsub, arguments: list[str], says: str
) -> None:
    (refused,) = refuse(connection, message(b"no json"))
    done = dead_letters(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in words(done.stderr)
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    assert open_ids(connection) == {refused}


def test_drop_asks_first_and_no_is_an_answer(connection: Connection) -> None:
    (refused,) = refuse(connection, message(b"no json"))
    done = dead_letters("drop", refused, answers="n\n")
    assert done.returncode == 1
    assert "Drop 1 dead letters?" in done.stderr
    assert open_ids(connection) == {refused}


def test_drop_after_a_yes_keeps_it_and_lists_it_no_more(connection: Connection) -> None:
    (refused,) = refuse(connection, message(b"no json"))
    done = dead_letters("drop", refused, answers="y\n")
    assert done.returncode == 0, done.stderr
    assert "1 dropped" in done.stdout
    assert "0 open" in dead_letters("list").stdout
    shown = words(dead_letters("show", refused).stdout)
    assert "state dropped" in shown
    assert "no json" in shown


def test_drop_with_yes_does_not_ask(connection: Connection) -> None:
    refuse(connection, message(b"no json"))
    done = dead_letters("drop", "--reason", "not_json", "--yes")
    assert done.returncode == 0, done.stderr
    assert "Drop" not in done.stdout + done.stderr
    assert "1 dropped" in done.stdout
    assert open_ids(connection) == set()


def test_a_filter_that_finds_nothing_drops_nothing_and_does_not_ask(
    connection: Connection,
) -> None:
    done = dead_letters("drop", "--reason", "not_json")
    assert (done.returncode, done.stdout.strip()) == (0, "0 dropped")


def test_redrive_of_a_message_without_a_broker_is_a_sentence_and_leaves_it_open(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    (refused,) = refuse(connection, message(b"no json"))
    monkeypatch.setenv("PUBSUB_PROJECT_ID", "p")
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    done = dead_letters("redrive", refused)
    assert done.returncode == 1
    assert "PUBSUB_EMULATOR_HOST" in done.stderr
    assert "Traceback" not in done.stderr
    assert open_ids(connection) == {refused}
