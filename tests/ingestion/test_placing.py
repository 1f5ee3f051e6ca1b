"""What each message of a batch is, without a database."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from orchestration.ingestion.message import Document
from orchestration.ingestion.placing import Delivery, Known, KnownDocument, Plan, plan
from orchestration.resources.broker import Message
from tests.conftest import next_message_id


def delivery(document: Document | bytes, message_id: str = "") -> Delivery:
    data = document if isinstance(document, bytes) else document.to_json()
    message = Message(message_id or next_message_id(), data, {}, "", datetime.now(UTC), "receipt")
    return Delivery(message, 1_000_000)


def version(number: int, text: str, external_id: str = "a") -> Document:
    return Document(text=text, external_id=external_id, source="s", version=number)


def known_after(result: Plan, before: Known) -> Known:
    """What the database would hold after a plan."""
    documents = [
        KnownDocument(
            new.document_id,
            new.document.source,
            new.document.identity,
            new.document.version,
            new.document.content_sha256,
            new.superseded_by is not None,
            new.duplicate_of,
        )
        for new in result.documents.values()
    ]
    older = [
        KnownDocument(
            **{
                **vars(document),
                "is_superseded": document.is_superseded
                or document.document_id in result.superseded,
                "duplicate_of": result.moved_copies.get(
                    document.document_id, document.duplicate_of
                ),
            }
        )
        for document in before.documents
    ]
    messages = {
        new.delivery.message.message_id: new.delivery.data_sha256 for new in result.messages
    }
    return Known({**before.messages, **messages}, [*older, *documents])


def current_texts(known: Known, texts: dict[bytes, str]) -> set[str]:
    return {
        texts[document.content_sha256]
        for document in known.documents
        if not document.is_superseded and document.duplicate_of is None
    }


def test_the_same_document_under_two_message_ids_is_one_document() -> None:
    result = plan([delivery(version(1, "fire")), delivery(version(1, "fire"))], Known())
    assert [new.landed_as for new in result.messages] == ["document", "duplicate"]
    assert result.messages[0].document_id == result.messages[1].document_id
    assert len(result.documents) == 1


def test_the_same_text_under_two_ids_is_a_document_and_its_copy() -> None:
    result = plan([delivery(version(1, "Fire!", "a")), delivery(version(1, "fire!", "b"))], Known())
    original, copy = result.documents.values()
    assert copy.duplicate_of == original.document_id
    assert not copy.is_current


def test_a_redelivery_is_counted_and_changes_nothing() -> None:
    first = delivery(version(1, "fire"))
    again = plan([first], known_after(plan([first], Known()), Known()))
    assert again.redelivered == [first.message.message_id]
    assert (again.messages, again.documents, again.refusals) == ([], {}, [])


def test_one_message_id_with_two_contents_is_a_conflict_that_keeps_the_bytes() -> None:
    first = delivery(version(1, "fire"), "7")
    second = delivery(version(1, "flood", "b"), "7")
    result = plan([first, second], Known())
    assert [new.delivery for new in result.messages] == [first]
    assert [(r.delivery, r.reason) for r in result.refusals] == [(second, "message_id_conflict")]
    assert result.counts() == {"document": 1, "conflict": 1}


def test_one_version_with_two_texts_is_refused() -> None:
    result = plan([delivery(version(1, "fire")), delivery(version(1, "flood"))], Known())
    assert [new.landed_as for new in result.messages] == ["document", "rejection"]
    assert result.refusals[0].reason == "version_conflict"


def test_a_newer_version_supersedes_the_older_one_in_and_across_batches() -> None:
    first = plan([delivery(version(1, "fire"))], Known())
    known = known_after(first, Known())
    second = plan([delivery(version(2, "small fire")), delivery(version(3, "no fire"))], known)
    two, three = second.documents.values()
    assert second.superseded == {next(iter(first.documents)): two.document_id}
    assert two.superseded_by == three.document_id
    assert three.is_current


def test_a_late_older_version_is_superseded_at_once() -> None:
    known = known_after(plan([delivery(version(3, "no fire"))], Known()), Known())
    late = plan([delivery(version(1, "fire"))], known)
    (one,) = late.documents.values()
    assert one.superseded_by == known.documents[0].document_id


def test_a_correction_back_to_the_first_text_is_current_and_no_copy() -> None:
    result = plan(
        [delivery(version(number, text)) for number, text in ((1, "a"), (2, "b"), (3, "a"))],
        Known(),
    )
    assert [new.is_current for new in result.documents.values()] == [False, False, True]


def test_poison_does_not_hold_up_the_rest_of_the_batch() -> None:
    result = plan([delivery(b"\xff"), delivery(version(1, "fire")), delivery(b"[]")], Known())
    assert [new.landed_as for new in result.messages] == ["rejection", "document", "rejection"]
    assert [refusal.reason for refusal in result.refusals] == ["not_utf8", "not_an_object"]


@given(
    st.lists(st.tuples(st.integers(1, 4), st.sampled_from("pq")), min_size=1, max_size=8).flatmap(
        lambda versions: st.tuples(st.just(versions), st.permutations(versions))
    )
)
def test_versions_in_any_order_and_repeated_end_with_the_same_current_text(
    orders: tuple[list[tuple[int, str]], list[tuple[int, str]]],
) -> None:
    ends = []
    for order in orders:
        known = Known()
        texts: dict[bytes, str] = {}
        for number, external_id in [*order, *order]:
            document = version(number, f"text {number} of {external_id}", external_id)
            texts[document.content_sha256] = document.text
            known = known_after(plan([delivery(document)], known), known)
        ends.append(current_texts(known, texts))
    newest = {
        f"text {max(n for n, i in orders[0] if i == external_id)} of {external_id}"
        for external_id in {i for _, i in orders[0]}
    }
    assert ends == [newest, newest]


def mark_near_copy(known: Known, text: str, of_text: str) -> Known:
    """As the mentions step does with two originals whose texts are nearly the same."""
    originals = {
        document.content_sha256: document.document_id
        for document in known.documents
        if not document.is_superseded and document.duplicate_of is None
    }
    copy = originals.get(version(1, text).content_sha256)
    original = originals.get(version(1, of_text).content_sha256)
    if copy is None or original is None:
        return known
    documents = [
        replace(document, duplicate_of=original)
        if copy in (document.document_id, document.duplicate_of)
        else document
        for document in known.documents
    ]
    return Known(known.messages, documents)


TEXTS = st.sampled_from(["fire", "ice", "flood"])


@given(
    st.lists(
        st.tuples(
            st.lists(
                st.tuples(st.sampled_from("pqrs"), st.integers(1, 3), TEXTS),
                min_size=1,
                max_size=4,
            ),
            st.permutations(["fire", "ice", "flood"]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_of_each_current_text_there_is_one_original_or_its_copies_point_to_another(
    batches: list[tuple[list[tuple[str, int, str]], list[str]]],
) -> None:
    known = Known()
    for batch, (text, of_text, _) in batches:
        deliveries = [delivery(version(number, text, name)) for name, number, text in batch]
        known = known_after(plan(deliveries, known), known)
        known = mark_near_copy(known, text, of_text)
    current = [document for document in known.documents if not document.is_superseded]
    originals = {d.document_id: d.content_sha256 for d in current if d.duplicate_of is None}
    assert len(set(originals.values())) == len(originals)
    assert all(d.duplicate_of in originals for d in current if d.duplicate_of is not None)
