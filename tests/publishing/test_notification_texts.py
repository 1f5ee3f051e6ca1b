"""What a message says; what a document wrote is text and never markup."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from pydantic import SecretStr

from orchestration.publishing.alerts import Alert, Message
from orchestration.publishing.links import explain_command, supplier_link
from orchestration.publishing.notification_channels import email, slack, webhook
from orchestration.publishing.notification_texts import one_line, text_of, web_link
from orchestration.settings import AlertSettings, SupersetSettings

SETTINGS = AlertSettings(
    slack_webhook_url=SecretStr("https://hooks.example/x"),
    smtp_host="mail.example",
    email_from="risk@example.com",
    email_to="a@example.com, b@example.com",
)


def band(number: int = 1, **says: Any) -> Alert:
    base = {
        "supplier_name": f"Acme {number}",
        "country_name": "Mexico",
        "band": "critical",
        "band_before": "medium",
        "score": 80.0,
        "score_before": 30.0,
        "cause": "new events",
        "moved_by": {"new_events": 50.0, "rescoring": 0, "rollbacks": 0},
        "dimension": "labor_human_rights",
        "models": "gpt-x",
        "evidence": {"quote": "It burns.", "title": "News", "url": "https://news.example/1"},
        "link": None,
        "command": "supplier-risk explain acme MX",
    }
    return Alert("band", f"band:{number}", "acme", "MX", {**base, **says})


def message(*alerts: Alert) -> Message:
    return Message(UUID(int=7), "alerts", alerts, datetime(2026, 3, 31, 8, tzinfo=UTC))


def words(*alerts: Alert, max_lines: int = 20) -> str:
    text = text_of(message(*alerts), max_lines)
    return "\n".join([text.subject, *(section.text for section in text.sections)])


def test_a_rise_says_from_where_to_where_why_and_with_which_proof() -> None:
    text = words(band())
    assert text.startswith("Supplier risk: Acme 1 (Mexico) is critical now, was medium\n")
    assert "Score 80.0, was 30.0. Cause: news. Worst in labor human rights." in text
    assert "“It burns.”\nNews\nWhy: supplier-risk explain acme MX" in text
    assert "100 is the highest risk" in text
    assert "offline analyst" not in text


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ({"cause": "rescoring"}, "Cause: read again by another model or prompt, not news."),
        (
            {"cause": "policy", "moved_by": {"new_events": 5.0, "rescoring": 4.0}},
            "Cause: the scoring policy was changed, not news.",
        ),
        ({"cause": "rollback"}, "Cause: answers taken back or restored by a person, not news."),
        (
            {"moved_by": {"new_events": 5.0, "rescoring": 45.0, "rollbacks": 0}},
            "Cause: news (+5.0); read again by another model or prompt, not news (+45.0).",
        ),
    ],
)
def test_what_a_prompt_or_a_person_moved_is_never_called_news(
    says: Mapping[str, Any], sentence: str
) -> None:
    assert sentence in words(band(**{"moved_by": {}, **says}))


def test_the_offline_analyst_is_named_where_its_answers_are_shown() -> None:
    assert "offline-analyst-1, the offline analyst: a word list" in words(
        band(), band(2, models="gpt-x, offline-analyst-1")
    )


def test_many_alerts_are_one_message_that_counts_the_rest() -> None:
    text = words(*[band(number) for number in range(57)], max_lines=20)
    assert text.startswith("Supplier risk: 57 in a higher band\n")
    assert "Acme 19 (" in text
    assert "Acme 20 (" not in text
    assert "... and 37 more" in text
    blocks = json.loads(slack(message(*[band(number) for number in range(57)]), SETTINGS))["blocks"]
    assert len(blocks) <= 50


HOSTILE = "<!channel> & <https://evil.example|click> @here\r\nBcc: x@evil.example\u202e\x00 *bold*"


def test_slack_gets_hostile_quotes_and_names_as_plain_text() -> None:
    quote = one_line(HOSTILE, 500)
    alert = band(
        supplier_name="<!here> Acme",
        evidence={"quote": quote, "title": quote, "url": "https://x.example/a|b?<c>&d"},
    )
    alert.says["evidence"]["url"] = web_link(alert.says["evidence"]["url"])
    body = json.loads(slack(message(alert), SETTINGS))
    strings = [body["text"]]
    for block in body["blocks"]:
        if block["type"] == "context":
            (element,) = block["elements"]
            assert element["text"] == "<https://x.example/a%7Cb?%3Cc%3E&amp;d|document>"
        else:
            assert block["text"]["type"] == "plain_text"
            strings.append(block["text"]["text"])
    assert not any("<" in text or ">" in text for text in strings)
    assert "&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt;" in "".join(strings)
    assert body["unfurl_links"] is False


def test_no_quote_is_so_long_that_slack_refuses_the_whole_message() -> None:
    alert = band(
        supplier_name="&" * 200,
        evidence={"quote": "&" * 500, "title": "<" * 200, "url": "https://x.example/?" + "&" * 900},
        link="https://bi.example/" + "x" * 2000,
    )
    blocks = json.loads(slack(message(alert), SETTINGS))["blocks"]
    assert len(blocks[0]["text"]["text"]) <= 150
    assert len(blocks[1]["text"]["text"]) <= 3000
    assert blocks[1]["text"]["text"].endswith("&amp;…")
    (element,) = blocks[2]["elements"]
    assert element["text"].startswith("<https://bi.example/")
    assert len(element["text"]) <= 3000


def test_no_header_of_an_e_mail_can_be_injected() -> None:
    alert = band(supplier_name=one_line("Acme\r\nBcc: x@evil.example\u2028\x1b[31m", 100))
    mail = email(message(alert), SETTINGS)
    assert mail["Subject"] == (
        "Supplier risk: Acme Bcc: x@evil.example [31m (Mexico) is critical now, was medium"
    )
    assert mail["Bcc"] is None
    assert mail["To"] == "a@example.com, b@example.com"
    assert mail["Message-ID"] == "<00000000-0000-0000-0000-000000000007@example.com>"
    assert mail.get_content_type() == "text/plain"


def test_a_text_becomes_one_visible_line_of_bounded_length() -> None:
    assert one_line("a\n\tb\u202e\u200b\x07\u2029 c", 100) == "a b c"
    assert one_line("x" * 600, 500) == "x" * 499 + "…"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://news.example/1",
        "https://bank.example@evil.example/",
        "https://news.example/\nBcc: x",
        "https://news.example/ x",
        "https:///nowhere",
        "https://[broken",
        "https://news.example/" + "x" * 2000,
        "//news.example",
        "",
        None,
    ],
)
def test_an_address_that_is_no_plain_web_page_is_left_out(url: str | None) -> None:
    assert web_link(url) is None


def test_a_web_address_stays_as_it_is() -> None:
    url = "https://news.example/a%20b?q=1&r=ü".replace("ü", "%C3%BC")
    assert web_link(url) == url


def test_a_webhook_gets_the_fields() -> None:
    body = json.loads(webhook(message(band())))
    assert body["message_id"] == str(UUID(int=7))
    assert (body["kind"], body["created_at"]) == ("alerts", "2026-03-31T08:00:00+00:00")
    (alert,) = body["alerts"]
    assert alert["says"]["evidence"]["quote"] == "It burns."
    assert set(alert) == {"kind", "dedupe_key", "supplier_id", "country", "says"}


def test_a_link_chooses_supplier_and_country_whatever_their_names_hold() -> None:
    link = supplier_link(SupersetSettings(url="https://bi.example/"), "O'Neill & Söhne!", "Mexico")
    assert link is not None
    parts = urlsplit(link)
    assert (parts.netloc, parts.path) == ("bi.example", "/superset/dashboard/supplier/")
    (rison,) = parse_qs(parts.query)["native_filters"]
    assert rison == (
        "(NATIVE_FILTER-supplier:(extraFormData:(filters:!((col:supplier_name,op:IN,"
        "val:!('O!'Neill & Söhne!!')))),filterState:(value:!('O!'Neill & Söhne!!')),"
        "id:NATIVE_FILTER-supplier,ownState:()),"
        "NATIVE_FILTER-country:(extraFormData:(filters:!((col:country_name,op:IN,"
        "val:!('Mexico')))),filterState:(value:!('Mexico')),id:NATIVE_FILTER-country,ownState:()))"
    )
    assert supplier_link(SupersetSettings(), "Acme", "Mexico") is None
    assert explain_command("o'neill", "MX") == "supplier-risk explain 'o'\"'\"'neill' MX"
