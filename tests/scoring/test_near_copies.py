"""Near copies: a syndicated story is scored once; what says anything else is news of its own."""

import uuid
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.ingestion.message import Document
from orchestration.resources.postgres import Connection
from orchestration.scoring.checks import violations
from orchestration.scoring.near_copies import Text
from tests.conftest import Analyst
from tests.ingestion.test_landing import states
from tests.scoring.scenario import land_documents, run

STORY = (
    "Acme Corp said on Monday that it recalls 500 valves in Mexico because of a defect in the "
    "casting of the body. The company, which makes pumps and valves for water works, told its "
    "customers to stop using the parts at once and to send them back. Nobody was hurt so far. The "
    "plant in Monterrey will stay closed until engineers have found the cause, a spokesman said. "
    "Deliveries to water works in the north of the country are late already, and some of them look "
    "for other makers. Analysts expect that the repair will take until the end of the summer. The "
    "workers of the plant were sent home with their wages, and their union asks for a guarantee."
)
SYNDICATED = f"By our wire desk. {STORY}"


def document(text: str, name: str, day: str = "2026-03-01", version: int = 1) -> Document:
    date = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return Document(text=text, external_id=name, version=version, published_at=date)


def outcome(connection: Connection, analyst: Analyst, *documents: Document) -> list[str]:
    """The states of the messages after a run, in the order of the documents."""
    land_documents(connection, documents)
    run(connection, analyst.settings)
    assert violations(connection) == {}
    rows = connection.execute(
        "select state from risk.message_states inner join ingest.messages using"
        " (subscription, message_id) order by sequence"
    )
    return [row["state"] for row in rows]


def test_a_story_with_another_head_is_a_copy_and_is_not_asked_about(
    connection: Connection, analyst: Analyst
) -> None:
    served = analyst.served()
    two = outcome(connection, analyst, document(STORY, "a"), document(SYNDICATED, "b"))
    assert two == ["scored", "duplicate"]
    # the story once: whom it is about, its finding, its brief
    assert analyst.served() - served == 3


def test_a_copy_is_known_in_a_later_run_too(connection: Connection, analyst: Analyst) -> None:
    assert outcome(connection, analyst, document(STORY, "a")) == ["scored"]
    both = outcome(connection, analyst, document(SYNDICATED, "b"))
    assert both == ["scored", "duplicate"]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(document(STORY.replace("500", "5,000"), "b"), id="another number"),
        pytest.param(document(STORY.replace("in Mexico", "in Peru"), "b"), id="another country"),
        pytest.param(document(STORY.replace("Nobody", "Nobody of Beta AG"), "b"), id="a supplier"),
        pytest.param(document(SYNDICATED, "b", "2026-03-09"), id="eight days later"),
        pytest.param(
            document(SYNDICATED, "b").model_copy(
                update={"original_published_at": datetime(2026, 1, 1, tzinfo=UTC)}
            ),
            id="months earlier, before its date was moved",
        ),
        pytest.param(document(SYNDICATED, "b", version=2), id="a correction"),
        pytest.param(document(STORY[:300], "b"), id="half the story"),
    ],
)
def test_what_says_anything_else_is_no_copy(
    connection: Connection, analyst: Analyst, other: Document
) -> None:
    assert outcome(connection, analyst, document(STORY, "a"), other) == ["scored", "scored"]


def test_a_near_copy_whose_original_is_corrected_is_scored_in_its_place(
    connection: Connection, analyst: Analyst
) -> None:
    three = outcome(
        connection,
        analyst,
        document(STORY, "a"),
        document(SYNDICATED, "b"),
        document(SYNDICATED, "c"),
    )
    assert three == ["scored", "duplicate", "duplicate"]
    four = outcome(connection, analyst, document("Acme Corp recalls nothing.", "a", version=2))
    assert four == ["superseded", "scored", "duplicate", "scored"]


def test_exact_copies_follow_a_text_that_turns_out_to_be_a_near_copy(
    connection: Connection, analyst: Analyst
) -> None:
    outcome(connection, analyst, document(STORY, "a"))
    land_documents(connection, [document(SYNDICATED, "b"), document(SYNDICATED, "c")])
    assert sorted(states(connection).values()) == ["duplicate", "pending", "scored"]
    run(connection, analyst.settings)
    assert sorted(states(connection).values()) == ["duplicate", "duplicate", "scored"]
    originals = connection.execute(
        "select distinct duplicate_of from ingest.documents where duplicate_of is not null"
    )
    assert len(originals.fetchall()) == 1
    assert violations(connection) == {}


_ID = uuid.uuid4()
WORDS = st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=60)


@given(WORDS, st.sampled_from([" ", "\n", " \t"]))
def test_a_signature_is_blind_to_case_and_white_space(words: list[str], space: str) -> None:
    text = Text(_ID, " ".join(words), None, frozenset())
    same = Text(_ID, space.join(word.upper() for word in words), None, frozenset())
    assert np.array_equal(text.signature, same.signature)
    assert text.bands == same.bands
    assert len(set(text.bands)) == 16
