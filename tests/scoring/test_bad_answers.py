"""Models and endpoints that misbehave, and documents that no example was made of: what each costs.

Long documents are in test_parts.py, names that are words in test_relevance.py and below.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from benchmarks.stub import part as stub
from orchestration.ingestion import circuit
from orchestration.ingestion.landing import land
from orchestration.ingestion.message import Document
from orchestration.ingestion.suppliers import Supplier, load
from orchestration.resources.llm import EndpointRefuses
from orchestration.resources.postgres import Connection, one
from orchestration.scoring.checks import violations
from orchestration.settings import IngestSettings
from tests.conftest import Analyst, OpenStub
from tests.ingestion.test_landing import LIMIT, SUBSCRIPTION, message, states
from tests.scoring.books import land_numbered, outcomes
from tests.scoring.endpoint import completion, endpoint, gateway, quoting
from tests.scoring.scenario import BANKRUPTCY, RECALL, land_hinted, run, wake
from tests.scoring.test_outage import attempts_of_items, scripted
from tests.scoring.test_run import totals

PROSE = "Sure! Beta AG has gone bankrupt, which is rather bad news for whoever buys from it."


def reason(connection: Connection) -> tuple[str, str]:
    """Why the only dead item is dead."""
    row = one(
        connection, "select last_error_class, last_error from risk.work_items where state = 'dead'"
    )
    return row["last_error_class"], row["last_error"]


def test_a_model_that_ignores_the_schema_is_told_so_once_and_then_its_document_is_dead(
    connection: Connection, analyst: Analyst
) -> None:
    land_hinted(connection, RECALL, BANKRUPTCY)

    def script(request: Mapping[str, Any]) -> tuple[int, object]:
        is_about_beta = "Beta AG files" in request["messages"][1]["content"]
        return 200, completion(PROSE) if is_about_beta else quoting()

    with gateway(script) as url:
        run(connection, scripted(analyst.settings, url))
    assert totals(connection) == {"scored": 1, "dead": 1}
    kind, sentence = reason(connection)
    assert (kind, outcomes(connection)) == ("schema_invalid", {"ok": 1, "schema_invalid": 2})
    assert "breaks the schema" in sentence
    kept = connection.execute("select answer from llm.responses where outcome <> 'ok'")
    assert [row["answer"] for row in kept] == [PROSE] * 2
    assert violations(connection) == {}


def in_german(quote: str, dimension: str) -> dict[str, object]:
    """One finding whose words are German."""
    answer = quoting(quote)
    reply = json.loads(answer["choices"][0]["message"]["content"])  # type: ignore[index]
    words = {"keywords": ["Rückruf"], "rationale": "Ventile werden zurückgerufen."}
    reply["findings"][0] |= {**words, "dimension": dimension}
    return completion(json.dumps(reply))


def test_a_model_that_answers_in_another_language_is_believed_if_the_quote_is_the_documents(
    connection: Connection, analyst: Analyst
) -> None:
    land_hinted(connection, RECALL, f"{RECALL} Again, in May.")

    def script(prompt: str) -> tuple[int, object]:
        translated = "Acme Corp ruft in Mexiko 500 Ventile zurück."
        return 200, in_german(translated if "in May" in prompt else RECALL, "operational")

    with endpoint(script) as (url, _):
        run(connection, scripted(analyst.settings, url))
    rows = connection.execute(
        "select rationale, quote_verified from risk.findings order by quote_verified"
    )
    rationale = "Ventile werden zurückgerufen."
    assert [tuple(row.values()) for row in rows] == [(rationale, False), (rationale, True)]
    assert totals(connection) == {"scored": 2}
    assert violations(connection) == {}


def test_a_model_that_translates_the_schemas_own_words_is_asked_once_more(
    connection: Connection, analyst: Analyst
) -> None:
    land_hinted(connection, RECALL)

    def script(prompt: str) -> tuple[int, object]:
        is_repair = "does not count" in prompt and "dimension" in prompt
        return 200, in_german(RECALL, "operational" if is_repair else "betrieblich")

    with endpoint(script) as (url, _):
        run(connection, scripted(analyst.settings, url))
    assert totals(connection) == {"scored": 1}
    finding = one(connection, "select dimension, quote_verified from risk.findings")
    assert tuple(finding.values()) == ("operational", True)


def test_a_model_that_repeats_itself_to_the_end_gets_twice_the_room_once_and_is_dead(
    connection: Connection, open_stub: OpenStub
) -> None:
    land_numbered(connection, 1)
    with open_stub("--latency-ms", "0", "--faults", "1", "--kinds", "endless") as port:
        run(connection, stub.settings(port))
    assert totals(connection) == {"dead": 1}
    kind, sentence = reason(connection)
    assert (kind, "cut off after" in sentence) == ("truncated", True)
    rooms = connection.execute(
        "select (parameters ->> 'max_completion_tokens')::int as room from llm.attempts"
        " inner join llm.requests using (cache_key) order by attempt_id"
    )
    room = stub.settings(port).max_output_tokens
    assert [row["room"] for row in rooms] == [room, 2 * room]


def test_an_answer_of_ten_megabytes_is_kept_and_shown_in_part_where_it_is_to_be_repaired(
    connection: Connection, open_stub: OpenStub
) -> None:
    land_numbered(connection, 2)
    options = ("--latency-ms", "0", "--each", "3", "--among", "3", "--kinds", "huge")
    with open_stub(*options) as port:
        run(connection, stub.settings(port, concurrency=1))
    assert totals(connection) == {"scored": 1, "dead": 1}
    assert reason(connection)[0] == "schema_invalid"
    sizes = one(
        connection,
        "select min(length(raw_body)) as kept from llm.responses where outcome <> 'ok'",
    )
    assert sizes["kept"] > 10_000_000
    asked = one(connection, "select max(length(messages::text)) as longest from llm.requests")
    assert asked["longest"] < 40_000
    assert violations(connection) == {}


@pytest.mark.parametrize("kind", ["closed_half_way", "reset", "dropped"])
def test_a_connection_that_ends_half_way_is_tried_again_and_is_the_documents_own_in_the_end(
    connection: Connection, open_stub: OpenStub, kind: str
) -> None:
    land_numbered(connection, 1)
    options = ("--latency-ms", "0", "--faults", "1", "--kinds", kind)
    limits = IngestSettings()
    with open_stub(*options) as port:
        for _ in range(limits.max_item_attempts):
            assert totals(connection) == {"pending": 1}
            run(connection, stub.settings(port, max_attempts=2))
            wake(connection)
    assert totals(connection) == {"dead": 1}
    kind_kept, sentence = reason(connection)
    assert kind_kept == "connection"
    assert "Connection error" in sentence
    assert outcomes(connection) == {"connection": 2 * limits.max_item_attempts}


def land_of(connection: Connection, supplier: Supplier, *texts: str) -> None:
    load(connection, [supplier])
    messages = [message(Document(text=text).to_json()) for text in texts]
    land(connection, SUBSCRIPTION, messages, LIMIT)


FOREIGN = {
    "zh": ("西门子", "德国西门子公司宣布召回五百个阀门。", "公司没有说明原因。", "CN"),
    "ar": ("أرامكو", "أعلنت أرامكو استدعاء خمسمائة صمام بسبب عيب.", "ولم تذكر الشركة السبب.", "SA"),
}


@pytest.mark.parametrize("language", FOREIGN)
def test_a_document_in_another_script_is_scored_with_its_quote_at_its_place(
    connection: Connection, analyst: Analyst, language: str
) -> None:
    alias, quote, rest, country = FOREIGN[language]
    land_of(
        connection, Supplier("s", "Supplier", (alias,), country, None, None, None), rest + quote
    )

    def script(prompt: str) -> tuple[int, object]:
        if "Say which of them it is about" in prompt:
            return 200, completion('{"suppliers": [], "others": []}')
        return 200, quoting(quote)

    with endpoint(script) as (url, asked):
        run(connection, scripted(analyst.settings, url))
        assert all(quote in prompt for prompt in asked[:2])  # whom it is about, and what it says
    finding = one(connection, "select quote_start, quote_end, quote_verified from risk.findings")
    assert tuple(finding.values()) == (len(rest), len(rest + quote), True)
    assert totals(connection) == {"scored": 1}
    assert violations(connection) == {}


NAMESAKES = [
    ("Apple Inc.", "Apple", "Apple growers fear for the harvest after hail.", "Apple was hacked."),
    ("U.S. Steel", "US Steel", "US Steel imports fell; tariffs stay.", "US Steel idles a furnace."),
    ("3M Company", "3M", "The fund grew by 3M last year.", "3M recalls masks."),
]


@pytest.mark.parametrize(("name", "alias", "unrelated", "related"), NAMESAKES)
def test_a_supplier_whose_name_is_a_word_is_not_found_where_the_word_means_something_else(
    connection: Connection, analyst: Analyst, name: str, alias: str, unrelated: str, related: str
) -> None:
    supplier = Supplier("namesake", name, (alias,), "US", None, None, None)
    land_of(connection, supplier, unrelated, related)
    run(connection, analyst.settings)
    assert sorted(states(connection).values()) == ["irrelevant", "scored"]
    read = one(
        connection,
        "select body from risk.mentions inner join ingest.documents using (document_id)",
    )
    assert read["body"] == related
    assert violations(connection) == {}


WITHOUT_SCHEMAS = [
    (400, {"error": {"message": "This response_format type is unavailable now"}}),
    (400, {"error": {"message": "json_schema is not supported by this model"}}),
    (422, {"detail": [{"loc": ["body", "response_format", "type"], "msg": "not one of these"}]}),
]


@pytest.mark.parametrize(("status", "refusal"), WITHOUT_SCHEMAS)
@pytest.mark.parametrize("fallback", ["json_object", "none"])
def test_an_endpoint_without_json_schemas_says_which_setting_helps_and_then_it_does(
    connection: Connection, analyst: Analyst, status: int, refusal: object, fallback: str
) -> None:
    land_hinted(connection, RECALL)
    formats: list[str] = []

    def script(request: Mapping[str, Any]) -> tuple[int, object]:
        formats.append(request.get("response_format", {"type": "none"})["type"])
        if formats[-1] == "json_schema":
            return status, refusal
        schema = request["messages"][0]["content"].rpartition("schema:\n")[2]
        return 200, quoting(RECALL) if "relevance" in json.loads(schema)["properties"] else {}

    with gateway(script) as url:
        settings = scripted(analyst.settings, url)
        with pytest.raises(EndpointRefuses, match="LLM_RESPONSE_FORMAT to json_object"):
            run(connection, settings)
        assert totals(connection) == {"pending": 1}
        assert attempts_of_items(connection) == 0
        run(connection, settings.model_copy(update={"response_format": fallback}))
    assert totals(connection) == {"scored": 1}
    assert set(formats) == {"json_schema", fallback}
    assert formats.count("json_schema") == 1


HOPELESS = {
    "a wrong key": (401, {"error": {"message": "Incorrect API key"}}, "LLM_API_KEY"),
    "a wrong path": (404, {"detail": "Not Found"}, "LLM_BASE_URL"),
    "a web server": (405, {"detail": "Method Not Allowed"}, "LLM_BASE_URL"),
    "no credit": (402, {"error": {"message": "Insufficient Balance"}}, "credit"),
    "no quota": (429, {"error": {"code": "insufficient_quota"}}, "credit"),
}


@pytest.mark.parametrize(("status", "answer", "advice"), HOPELESS.values(), ids=HOPELESS)
def test_where_no_call_can_succeed_the_run_ends_with_what_to_do_and_all_stays_pending(
    connection: Connection, analyst: Analyst, status: int, answer: object, advice: str
) -> None:
    land_numbered(connection, 40)
    with endpoint(lambda _: (status, answer)) as (url, asked):
        settings = scripted(analyst.settings, url)
        with pytest.raises(EndpointRefuses, match=f"{status}.*What to do.*{advice}"):
            run(connection, settings)
        assert len(asked) <= settings.concurrency
    assert totals(connection) == {"pending": 40}
    assert attempts_of_items(connection) == 0
    assert circuit.obstacle(connection, settings) is not None
