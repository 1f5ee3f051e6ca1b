"""The country rule: hint, sentence, paragraph, home; limits; and what is recorded of the rest."""

import re
import uuid

import pytest

from orchestration.ingestion.landing import land
from orchestration.ingestion.message import Document, SupplierHint
from orchestration.ingestion.suppliers import Supplier, load
from orchestration.resources.postgres import Connection, one
from orchestration.scoring import mention_reading, mention_tables
from orchestration.scoring.checks import violations
from orchestration.scoring.mention_rule import Mentions, SupplierIndex, find_mentions
from orchestration.scoring.passages import Passages
from orchestration.settings import PostgresSettings
from tests.conftest import Analyst
from tests.ingestion.test_landing import LIMIT, SUBSCRIPTION, message, states
from tests.migrations.test_roles import connect_as
from tests.scoring import scenario

SUPPLIERS = [
    Supplier("acme", "Acme Corp", ("Acme",), "US", None, None, None),
    Supplier("beta", "Beta AG", (), "DE", None, None, None),
    *[Supplier(f"s{n}", f"Supplier{n}", (), "FR", None, None, None) for n in range(12)],
]
INDEX = SupplierIndex(SUPPLIERS)
Hints = list[tuple[str, str | None]]


def found(text: str, hints: Hints | None = None) -> list[tuple[str, str, str]]:
    kept = find_mentions(text, None, hints or [], INDEX).kept
    return [(m.supplier_id, m.country, m.country_source) for m in kept]


@pytest.mark.parametrize(
    ("text", "hints", "expected"),
    [
        ("Acme halts a plant in Mexico.", [("acme", "BR")], [("acme", "BR", "hint")]),
        (
            "Acme halts.",
            [("acme", "BR"), ("Acme Corp", "CL")],
            [("acme", "BR", "hint"), ("acme", "CL", "hint")],
        ),
        ("No name here.", [("BETA ag", None)], [("beta", "DE", "home")]),
        (
            "Acme halts a plant in Mexico. Germany waits.",
            [],
            [("acme", "MX", "sentence")],
        ),
        (
            "Acme halts a plant in Mexico. Peru waits for Acme.",
            [],
            [("acme", "MX", "sentence"), ("acme", "PE", "sentence")],
        ),
        ("Acme halts. Mexico waits.\n\nPeru too.", [], [("acme", "MX", "paragraph")]),
        ("Acme halts.\n\nMexico waits.", [], [("acme", "US", "home")]),
        (
            "Acme in Mexico. Beta AG in Peru.",
            [],
            [("acme", "MX", "sentence"), ("beta", "PE", "sentence")],
        ),
        ("Mexico and Peru.", [], []),
    ],
)
def test_the_country_is_where_the_event_touches_the_supplier(
    text: str, hints: Hints, expected: list[tuple[str, str, str]]
) -> None:
    assert found(text, hints) == expected


def test_a_hint_without_country_leaves_the_country_to_the_text() -> None:
    assert found("Acme halts a plant in Peru.", [("acme", None)]) == [("acme", "PE", "sentence")]


def test_at_most_three_countries_per_supplier_and_the_rest_is_recorded() -> None:
    result = find_mentions("Acme in Peru, Chile, Brazil, Mexico and Spain.", None, [], INDEX)
    assert [m.country for m in result.kept] == ["PE", "CL", "BR"]
    assert [m.country for m in result.cut] == ["MX", "ES"]


def test_at_most_ten_mentions_per_document_and_the_rest_is_recorded() -> None:
    text = "\n\n".join(f"Supplier{n} halts." for n in range(12))
    result = find_mentions(text, None, [], INDEX)
    assert len(result.kept) == 10
    assert [m.supplier_id for m in result.cut] == ["s10", "s11"]


def test_a_hint_that_nobody_knows_is_recorded() -> None:
    assert find_mentions("x", None, [("Gamma", "DE")], INDEX).unknown_hints == ["Gamma"]


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("Acme sells. " * 83_000, "US"),
        ("Acme sells. " * 83_000 + "In Peru.", "PE"),
        ("Acme\n\n" * 50_000, "US"),
        ("Acme sells Turkey. " * 52_000, "US"),
        ("Turkey " * 70_000 + "Acme", "US"),
    ],
)
def test_a_document_of_up_to_a_megabyte_is_read_in_one_pass(text: str, country: str) -> None:
    """Not in hours: each passage is cut and searched once, however often the supplier is named."""
    assert [mention[1] for mention in found(text)] == [country]


def test_a_place_is_in_the_sentence_and_paragraph_around_it() -> None:
    text = "Acme one. Acme two.\n \nAcme three\n\n\nAcme. End."
    passages = Passages(text, None)
    places = [place.start() for place in re.finditer("Acme", text)]
    assert [passages.sentence(place).strip() for place in places] == [
        "Acme one.",
        "Acme two.",
        "Acme three",
        "Acme.",
    ]
    assert [passages.paragraph(place).strip() for place in places] == [
        "Acme one. Acme two.",
        "Acme one. Acme two.",
        "Acme three",
        "Acme. End.",
    ]


def resolve(connection: Connection, analyst: Analyst) -> dict[str, int]:
    return dict(scenario.resolve(connection, analyst.settings).outcomes)


def test_documents_become_mentions_with_work_for_each(
    connection: Connection, analyst: Analyst
) -> None:
    load(connection, SUPPLIERS)
    hint = (SupplierHint(supplier="Nobody"),)
    texts = ["Acme in Peru and Chile.", "Nothing.", "Beta AG."]
    batch = [
        message(Document(text=t, supplier_hints=hint).to_json(), str(n))
        for n, t in enumerate(texts)
    ]
    land(connection, SUBSCRIPTION, batch, LIMIT)
    assert resolve(connection, analyst) == {"mentioned": 2, "no_supplier": 1}
    assert resolve(connection, analyst) == {}
    assert states(connection) == {"0": "pending", "1": "no_supplier", "2": "pending"}
    assert mention_tables.observed_partition_keys(connection) == ["acme@CL", "acme@PE", "beta@DE"]
    row = one(connection, "select count(*) as n from risk.work_items where step = 'findings'")
    assert row["n"] == 3
    detail = one(connection, "select detail from risk.work_items where outcome = 'no_supplier'")
    assert detail["detail"]["unknown_hints"] == ["Nobody"]
    assert violations(connection) == {}


def test_an_outdated_document_gets_no_mention(connection: Connection, analyst: Analyst) -> None:
    load(connection, SUPPLIERS)
    versions = [Document(text=f"Acme {n}.", external_id="a", version=n).to_json() for n in (1, 2)]
    for data in versions:
        land(connection, SUBSCRIPTION, [message(data)], LIMIT)
    assert resolve(connection, analyst) == {"superseded": 1, "mentioned": 1}
    assert violations(connection) == {}


def test_a_fault_on_one_document_does_not_hold_up_the_others(
    connection: Connection, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(connection, SUPPLIERS)
    real = find_mentions

    def faulty(text: str, *rest: object) -> Mentions:
        if "poison" in text:
            raise RuntimeError("cannot read this")
        return real(text, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(mention_reading, "find_mentions", faulty)
    batch = [message(Document(text=t).to_json()) for t in ("poison", "Acme.", uuid.uuid4().hex)]
    land(connection, SUBSCRIPTION, batch, LIMIT)
    assert resolve(connection, analyst) == {"later": 1, "mentioned": 1, "no_supplier": 1}
    row = one(connection, "select * from risk.work_items where last_error_class is not null")
    assert row["last_error_class"] == "internal_error"
    assert "cannot read this" in row["last_error"]


def test_a_document_whose_mentions_cannot_be_stored_fails_alone(
    connection: Connection, analyst: Analyst, database: PostgresSettings
) -> None:
    load(connection, SUPPLIERS)
    texts = ("Acme in Peru.", "Acme in Chile.", "Beta AG.")
    land(connection, SUBSCRIPTION, [message(Document(text=t).to_json()) for t in texts], LIMIT)
    with connect_as(database, "migrator") as owner:
        owner.execute("alter table risk.pairs add check (country <> 'CL')")
    assert resolve(connection, analyst) == {"later": 1, "mentioned": 2}
    row = one(connection, "select * from risk.work_items where last_error_class is not null")
    assert (row["state"], row["attempts"]) == ("pending", 1)
    assert "CheckViolation" in row["last_error"]
    assert mention_tables.observed_partition_keys(connection) == ["acme@PE", "beta@DE"]


def test_an_interrupted_search_for_mentions_holds_nothing(
    connection: Connection, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    land(connection, SUBSCRIPTION, [message(Document(text="Acme.").to_json())], LIMIT)
    monkeypatch.setattr(mention_reading, "find_mentions", interrupted)
    with pytest.raises(KeyboardInterrupt):
        resolve(connection, analyst)
    row = one(connection, "select state, attempts from risk.work_items")
    assert tuple(row.values()) == ("pending", 0)
