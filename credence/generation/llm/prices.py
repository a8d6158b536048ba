"""Prices of models from a dated file. Costs are integers in nanodollars, so that sums are exact."""

import datetime
import json
import math
from fractions import Fraction
from functools import cache
from pathlib import Path

from pydantic import Field

from credence.core.errors import InputError, did_you_mean
from credence.core.registry import StrictModel
from credence.core.yaml_loader import load_yaml
from credence.generation.llm.messages import Request, Usage

DOLLAR = 1_000_000_000
PRICES = Path(__file__).parent / "prices.yaml"
# Lower bound for English, JSON and arithmetic, so that the number of tokens is an upper bound.
BYTES_PER_TOKEN = 3


class Price(StrictModel):
    """US dollars per million tokens; without `cached`, cached input costs as much as other input."""

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    cached: float | None = Field(None, ge=0, allow_inf_nan=False)

    def cost(self, usage: Usage) -> int:
        """Compute the cost of counted tokens in nanodollars, rounded up."""
        cached = self.input if self.cached is None else self.cached
        fresh = max(0, usage.input - usage.cached)
        parts = ((fresh, self.input), (usage.cached, cached), (usage.output, self.output))
        return math.ceil(sum(_nano(tokens, rate) for tokens, rate in parts))

    def most(self, request: Request) -> int:
        """Compute the maximum cost of a call in nanodollars."""
        dearest = max(self.input, self.cached or 0)
        return math.ceil(_nano(input_tokens(request), dearest) + _nano(request.max_tokens, self.output))


class _File(StrictModel):
    read: datetime.date
    models: dict[str, Price]


def input_tokens(request: Request) -> int:
    """Estimate the maximum number of input tokens from the request's bytes (3 bytes per token)."""
    schema = json.dumps(request.schema_) if request.schema_ else ""
    return math.ceil(len((request.system + request.user + schema).encode()) / BYTES_PER_TOKEN)


def price_of(model: str) -> Price:
    """Look up the price of a model.

    Raises:
        InputError: The price file does not have it.
    """
    known = _file().models
    if model not in known:
        raise InputError(
            f"no price is known for the model {model!r}, so its cost cannot be bounded. {did_you_mean(model, known)} "
            f"Correct the model, or give its price: {{input: ..., output: ...}} in dollars per million tokens."
        )
    return known[model]


def read_on() -> datetime.date:
    """Return the day on which the prices were looked up."""
    return _file().read


def dollars(nano: int) -> str:
    """Format nanodollars as dollars with cents, or with 4 significant digits below $1."""
    amount = nano / DOLLAR
    return f"${amount:,.2f}" if amount >= 1 or nano == 0 else f"${amount:.4g}"


@cache
def _file() -> _File:
    return _File.model_validate(load_yaml(PRICES))


def _nano(tokens: int, dollars_per_million: float) -> Fraction:
    # Exact fractions, rounded once: rounding must not make a call cost more than its reservation.
    return tokens * Fraction(str(dollars_per_million)) * DOLLAR / 1_000_000
