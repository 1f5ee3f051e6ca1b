"""What a call costs in US dollars, and the most that it can cost before it is made.

Prices are the configured ones, else those of genai-prices, else nobody knows.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache

from genai_prices import Usage, calc_price

from orchestration.errors import LlmError
from orchestration.resources.llm import Reply, Request
from orchestration.settings import LlmSettings

_ROUNDED_TO = 1_000  # tokens, so that equal prices are looked up once
_FRAME_TOKENS = 1_000
_MILLION = Decimal(1_000_000)


def price_usd(
    llm: LlmSettings, input_tokens: int, cached_tokens: int, output_tokens: int
) -> Decimal | None:
    """Of so many tokens; `cached_tokens` are part of `input_tokens`. None for an unknown model."""
    if llm.input_usd_per_million is not None and llm.output_usd_per_million is not None:
        return (
            input_tokens * Decimal(str(llm.input_usd_per_million))
            + output_tokens * Decimal(str(llm.output_usd_per_million))
        ) / _MILLION
    today = datetime.now(UTC).date()
    return _listed_usd(llm.model, input_tokens, cached_tokens, output_tokens, today)


def reply_usd(llm: LlmSettings, reply: Reply) -> Decimal | None:
    """Of a reply that says what it took; None also where it does not."""
    if reply.input_tokens is None or reply.output_tokens is None:
        return None
    return price_usd(llm, reply.input_tokens, reply.cached_tokens or 0, reply.output_tokens)


def most_usd(llm: LlmSettings, request: Request) -> Decimal:
    """The most that a call can cost: no token is shorter than a byte, no answer longer than asked
    for. 0 where the price is unknown."""
    sent = sum(len(message["content"].encode()) for message in request.messages)
    tokens = sent + len(repr(request.schema)) + _FRAME_TOKENS
    rounded = -(-tokens // _ROUNDED_TO) * _ROUNDED_TO
    answer = int(request.parameters[llm.token_limit_field])
    return price_usd(llm, rounded, 0, answer) or Decimal(0)


def priced_budgets(llm: LlmSettings) -> Mapping[str, Decimal]:
    """Configured budgets by scope. Raises LlmError where nobody knows what a call would cost."""
    if llm.budgets and price_usd(llm, _ROUNDED_TO, 0, _ROUNDED_TO) is None:
        raise LlmError(
            f"A budget is set, and the price of model {llm.model} is unknown. What to do: set "
            "LLM_INPUT_USD_PER_MILLION and LLM_OUTPUT_USD_PER_MILLION, or unset "
            "LLM_BUDGET_USD_PER_DAY and LLM_BUDGET_USD_PER_RUN; what is pending stays pending."
        )
    return llm.budgets


@lru_cache(10_000)
def _listed_usd(model: str, input_: int, cached: int, output: int, _today: date) -> Decimal | None:
    usage = Usage(input_tokens=input_, cache_read_tokens=cached, output_tokens=output)
    try:
        return Decimal(calc_price(usage, model).total_price)
    except LookupError:
        return None
