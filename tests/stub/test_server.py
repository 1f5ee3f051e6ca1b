"""The stub over real HTTP: what it answers, what it refuses, how it fails, and what it counts."""

import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from benchmarks.stub import part as stub
from orchestration.resources.postgres import Connection, one
from orchestration.scoring.evidence import find_quote
from orchestration.scoring.prompts import delimited
from orchestration.scoring.replies import BriefReply, FindingsReply, MentionsReply
from tests.conftest import OpenStub
from tests.scoring.scenario import BANKRUPTCY, RECALL, land_hinted, run

DOCUMENT = '"Fünf" plants – closed\nfor a week'


def ask(
    port: int, schema_name: str = "risk_findings", timeout: float = 10, **fields: object
) -> requests.Response:
    schema = {"name": schema_name, "schema": {}, "strict": True}
    body = {
        "model": "any",
        "messages": [{"role": "user", "content": f"Read:\n\n{delimited(DOCUMENT)}\n\nSay."}],
        "response_format": {"type": "json_schema", "json_schema": schema},
        **fields,
    }
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    return requests.post(url, json=body, timeout=timeout)


def content(response: requests.Response) -> Any:
    return response.json()["choices"][0]["message"]["content"]


def test_it_answers_with_a_valid_finding_that_the_document_proves(open_stub: OpenStub) -> None:
    with open_stub("--latency-ms", "0") as port:
        response = ask(port)
    reply = FindingsReply.model_validate_json(content(response))
    assert find_quote(reply.findings[0].quote, DOCUMENT) == (0, 22)
    assert response.headers["x-request-id"]
    assert not [name for name in response.headers if name.startswith("x-ratelimit")]


def test_it_answers_with_a_valid_brief_where_one_is_asked_for(open_stub: OpenStub) -> None:
    with open_stub("--latency-ms", "0") as port:
        assert BriefReply.model_validate_json(content(ask(port, "risk_briefs"))).sentences


def test_whom_a_document_is_about_is_left_to_the_rule(open_stub: OpenStub) -> None:
    with open_stub("--latency-ms", "0") as port:
        reply = MentionsReply.model_validate_json(content(ask(port, "supplier_mentions")))
    assert (reply.suppliers, reply.others) == ([], [])


def test_it_takes_its_latency_and_serves_many_at_once(open_stub: OpenStub) -> None:
    with open_stub("--latency-ms", "300") as port, ThreadPoolExecutor(16) as pool:
        begin = time.monotonic()
        assert [r.status_code for r in pool.map(ask, [port] * 16)] == [200] * 16
        assert 0.3 <= time.monotonic() - begin < 16 * 0.3
        assert stub.served(port)["most_in_flight"] > 8


def test_more_requests_than_the_limit_are_refused_with_what_openai_says(
    open_stub: OpenStub,
) -> None:
    with open_stub("--latency-ms", "0", "--requests-per-minute", "5") as port:
        answers = [ask(port) for _ in range(7)]
        counts = stub.served(port)
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    remaining = [answer.headers["x-ratelimit-remaining-requests"] for answer in answers]
    assert remaining == ["4", "3", "2", "1", "0", "0", "0"]
    refused = answers[-1]
    assert refused.headers["x-ratelimit-limit-requests"] == "5"
    assert 10_000 < int(refused.headers["retry-after-ms"]) <= 12_000
    assert refused.headers["retry-after"] in {"11", "12"}
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert refused.json()["error"]["type"] == "requests"
    assert (counts["answered"], counts["refused"]) == (5, 2)


def test_tokens_are_limited_by_what_is_used_and_flow_in_again(open_stub: OpenStub) -> None:
    with open_stub("--latency-ms", "0", "--tokens-per-minute", "3000") as port:
        first = ask(port)
        used = first.json()["usage"]["total_tokens"]
        remaining = int(first.headers["x-ratelimit-remaining-tokens"])
        assert 3_000 - used <= remaining <= 3_000 - used + 50
        while (refused := ask(port)).status_code == 200:
            continue
        assert refused.json()["error"]["type"] == "tokens"
        time.sleep(int(refused.headers["retry-after-ms"]) / 1_000)
        assert ask(port).status_code == 200


def test_output_may_be_reserved_before_it_is_written(open_stub: OpenStub) -> None:
    options = ("--latency-ms", "0", "--tokens-per-minute", "1000", "--reserve-output")
    with open_stub(*options) as port:
        assert ask(port, max_completion_tokens=900).status_code == 200
        assert ask(port, max_completion_tokens=900).status_code == 429
        assert ask(port, max_tokens=1_001).headers.get("retry-after") is None


@pytest.mark.parametrize(
    ("kind", "is_it"),
    [
        ("rate_limited", lambda r: r.status_code == 429 and r.headers["retry-after"] == "1"),
        (
            "rate_limited_without_a_word",
            lambda r: r.status_code == 429 and "retry-after" not in r.headers,
        ),
        ("server_error", lambda r: r.status_code == 500),
        ("unavailable", lambda r: r.status_code == 503),
        ("slow", lambda r: r.elapsed.total_seconds() > 1 and _is_reply(content(r))),
        ("empty_body", lambda r: r.status_code == 200 and r.content == b""),
        ("malformed_body", lambda r: r.content[:1] == b"{" and not _is_json(r.text)),
        ("body_that_is_no_json", lambda r: r.content[:1] == b"<" and not _is_json(r.text)),
        ("truncated", lambda r: r.json()["choices"][0]["finish_reason"] == "length"),
        ("endless", lambda r: content(r).count("and a defect") > 100 and not _is_json(content(r))),
        ("refusal", lambda r: r.json()["choices"][0]["message"]["refusal"]),
        ("content_filter", lambda r: r.json()["choices"][0]["finish_reason"] == "content_filter"),
        ("invalid_json", lambda r: "oops" in content(r) and not _is_json(content(r))),
        ("schema_breaking", lambda r: _is_json(content(r)) and not _is_reply(content(r))),
        ("huge", lambda r: len(r.content) > 10_000_000 and _is_json(content(r))),
    ],
)
def test_a_fault_is_what_its_name_says(
    open_stub: OpenStub, kind: str, is_it: Callable[[requests.Response], bool]
) -> None:
    with open_stub("--latency-ms", "0", "--faults", "1", "--kinds", kind) as port:
        assert is_it(ask(port))
        assert stub.served(port)["faults"] == {kind: 1}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _is_reply(text: str) -> bool:
    try:
        FindingsReply.model_validate_json(text)
    except ValueError:
        return False
    return True


def test_a_hang_is_never_answered_and_ends_with_its_client(open_stub: OpenStub) -> None:
    with open_stub("--latency-ms", "0", "--faults", "1", "--kinds", "hang") as port:
        with pytest.raises(requests.Timeout):
            ask(port, timeout=0.5)
        _until_idle(port)
        assert stub.served(port)["answered"] == 0


@pytest.mark.parametrize("kind", ["dropped", "reset", "closed_half_way"])
def test_a_connection_that_breaks_off_is_an_answer_that_does_not_count(
    open_stub: OpenStub, kind: str
) -> None:
    with open_stub("--latency-ms", "0", "--faults", "1", "--kinds", kind) as port:
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            ask(port)
        _until_idle(port)
        counts = stub.served(port)
        assert (counts["received"], counts["answered"]) == (1, 0)


def test_each_question_is_counted_by_itself(open_stub: OpenStub) -> None:
    with open_stub("--latency-ms", "0", "--each", "1", "--among", "2", "--kinds", "refusal") as p:
        for step in ("risk_findings", "risk_findings", "risk_briefs"):
            ask(p, step)
        counts = stub.questions(p)
    assert sorted(counts["received"].values()) == [1, 2]
    assert counts["answered"] == counts["received"]


def test_an_answer_that_its_client_did_not_wait_for_does_not_count(open_stub: OpenStub) -> None:
    with open_stub("--latency-ms", "1000") as port:
        with pytest.raises(requests.Timeout):
            ask(port, timeout=0.2)
        _until_idle(port)
        time.sleep(1.2)
        assert stub.served(port)["answered"] == 0


def _until_idle(port: int) -> None:
    deadline = time.monotonic() + 5
    while stub.served(port)["in_flight"]:
        assert time.monotonic() < deadline, "a request is still in flight"


def test_a_seed_spoils_the_same_requests_in_the_next_process(open_stub: OpenStub) -> None:
    options = ("--latency-ms", "0", "--faults", "0.5", "--seed", "3", "--kinds")

    def statuses() -> list[int]:
        with open_stub(*options, "server_error", "rate_limited") as port:
            return [ask(port).status_code for _ in range(40)]

    first = statuses()
    assert first == statuses()
    assert set(Counter(first)) == {200, 429, 500}


def test_what_it_counts_is_what_the_ledger_holds(
    open_stub: OpenStub, connection: Connection
) -> None:
    land_hinted(connection, RECALL, BANKRUPTCY, f"{RECALL} Again, in May.")
    with open_stub("--latency-ms", "10") as port:
        run(connection, stub.settings(port))
        counts = stub.served(port)
    ledger = one(
        connection,
        "select count(*) as n, sum(input_tokens) as input, sum(output_tokens) as output"
        " from llm.attempts where outcome = 'ok'",
    )
    assert ledger["n"] > 0
    assert (counts["answered"], counts["input_tokens"], counts["output_tokens"]) == (
        ledger["n"],
        ledger["input"],
        ledger["output"],
    )
    unverified = "select count(*) as n from risk.findings where not quote_verified"
    assert one(connection, unverified)["n"] == 0


def test_what_is_no_request_is_refused_with_a_sentence(open_stub: OpenStub) -> None:
    with open_stub("--latency-ms", "0") as port:
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        response = requests.post(url, data=b"[]", timeout=5)
        assert response.status_code == 400
        assert "not a chat completion request" in response.json()["error"]["message"]
        assert requests.get(f"http://127.0.0.1:{port}/v1/models", timeout=5).status_code == 404
        assert stub.served(port)["in_flight"] == 0
