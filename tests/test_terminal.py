"""What is shown in the terminal comes from strangers in part, and must not command it."""

import io
import re

import pytest
from rich.console import Console

from orchestration.terminal import call_parts, money, plain, risk_table, status_tables

ESCAPE = "\x1b]0;owned\x07\x1b[2J"


def shown(*parts: object, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    for part in parts:
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def batch(batch_id: str, **states: int) -> dict[str, object]:
    names = (
        *("received", "scored", "no_supplier", "irrelevant", "duplicate", "superseded"),
        *("rejected", "pending", "dead", "gap", "pending_age_seconds", "calls"),
        *("input_tokens", "output_tokens"),
    )
    return dict.fromkeys(names, 0) | {"batch_id": batch_id, "cost_usd": 0.0} | states


@pytest.mark.parametrize("text", [ESCAPE, "\x9b2J", "a\rb\x08", "safe\u202etxt.exe\u2066"])
def test_characters_that_command_or_turn_round_are_left_out(text: str) -> None:
    assert not any(c in plain(text) for c in "\x1b\x07\x9b\r\x08\u202e\u2066")


def test_hostile_evidence_and_answers_do_not_reach_the_terminal_as_commands() -> None:
    row = {
        "supplier_name": "Acme [bold]",
        "country": "US",
        "score": 50,
        "band": "high",
        "top_dimension": "financial",
        "keywords": ESCAPE,
        "quote": f"quote {ESCAPE} end",
        "publisher": ESCAPE,
    }
    call = {
        "response_id": 1,
        "step": "s",
        "outcome": "ok",
        "model": "m",
        "prompt_version": "p",
        "parameters": {},
        "cache_key": "k",
        "messages": [{"role": "user", "content": ESCAPE}],
        "answer": ESCAPE,
        "purged_at": None,
        "attempts": [],
    }
    output = shown(risk_table([row]), *call_parts(call))
    assert "\x1b" not in output
    assert "Acme [bold] @ US" in output


def test_the_status_reads_at_eighty_columns() -> None:
    found = {
        "totals": batch(
            "", received=123_456, scored=100_000, duplicate=20_000, pending=3_456, no_supplier=9
        )
        | {"input_tokens": 112_055_900, "cost_usd": 123.45},
        "batches": [batch(f"20261122-19431{n}-2e3{n}", received=1_028) for n in range(12)],
        "today": {"settled_usd": 4.2, "reserved_usd": 0.5},
    }
    output = shown(*status_tables(found))
    assert "123,456" in output
    assert "…" not in output
    assert "112,055,900" in output
    assert "$123.45" in output
    assert "Today (UTC) $4.20 spent, $0.50 reserved." in output
    assert len(set(re.findall(r"20261122-19431\d+-2e3\d+", output))) == 10
    assert "2 older batches" in output
    assert "rejected" not in output


def test_an_unknown_price_is_said() -> None:
    assert money(None) == "unknown"
    assert money(1234.5) == "$1,234.50"
