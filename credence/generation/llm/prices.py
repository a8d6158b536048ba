"""What a call costs, from a dated file. Money is whole nanodollars, so that sums are exact."""

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
# A token of English, JSON or arithmetic has three bytes or more.
BYTES_PER_TOKEN = 3


class Price(StrictModel):
    """US dollars per million tokens; cached input costs as much as other input where nothing else is said."""

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    cached: float | None = Field(None, ge=0, allow_inf_nan=False)

    def cost(self, usage: Usage) -> int:
        """Nanodollars for what a provider counted, rounded up."""
        cached = self.input if self.cached is None else self.cached
        fresh = max(0, usage.input - usage.cached)
        parts = ((fresh, self.input), (usage.cached, cached), (usage.output, self.output))
        return math.ceil(sum(_nano(tokens, rate) for tokens, rate in parts))

    def most(self, request: Request) -> int:
        """Nanodollars that a call may cost at most."""
        dearest = max(self.input, self.cached or 0)
        return math.ceil(_nano(input_tokens(request), dearest) + _nano(request.max_tokens, self.output))


class _File(StrictModel):
    read: datetime.date
    models: dict[str, Price]


def input_tokens(request: Request) -> int:
    """Tokens that a request may have at most, by its bytes."""
    schema = json.dumps(request.schema_) if request.schema_ else ""
    return math.ceil(len((request.system + request.user + schema).encode()) / BYTES_PER_TOKEN)


def price_of(model: str) -> Price:
    """The price of a model. Raises BadInput for one that the price file does not have."""
    known = _file().models
    if model not in known:
        raise InputError(
            f"no price is known for the model {model!r}, so its cost cannot be bounded. {did_you_mean(model, known)} "
            f"Correct the model, or give its price: {{input: ..., output: ...}} in dollars per million tokens."
        )
    return known[model]


def read_on() -> datetime.date:
    """The day of the price file."""
    return _file().read


def dollars(nano: int) -> str:
    """Nanodollars for people to read: cents, or four figures where that would be nothing."""
    amount = nano / DOLLAR
    return f"${amount:,.2f}" if amount >= 1 or nano == 0 else f"${amount:.4g}"


@cache
def _file() -> _File:
    return _File.model_validate(load_yaml(PRICES))


def _nano(tokens: int, dollars_per_million: float) -> Fraction:
    # Fraction of the written decimal, and rounded once: neither must make a call dearer than its reservation.
    return tokens * Fraction(str(dollars_per_million)) * DOLLAR / 1_000_000
