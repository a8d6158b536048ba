"""Server settings read from the environment: workers, API keys, rate limit, log."""

from collections.abc import Mapping
from typing import Self

from pydantic import Field, SecretStr, ValidationError

from credence.core.errors import InputError
from credence.core.registry import StrictModel

PREFIX = "CREDENCE_"
EXPECTED = {
    "workers": "a whole number from 1, such as 2",
    "api_keys": "keys of at least 8 characters, separated by commas",
    "rate": "the number of requests that a caller may send per second, such as 50",
    "log": "on or off",
    "log_days": "for how many days answers are kept, such as 365",
    "follow": "on or off",
}


class Settings(StrictModel):
    """Values of CREDENCE_WORKERS, _API_KEYS, _RATE, _LOG, _LOG_DAYS and _FOLLOW.

    Attributes:
        workers: Number of worker processes; default 1.
        api_keys: Accepted keys of at least 8 characters; none means that every caller is accepted.
        rate: Requests per second for each caller; None means no limit.
        log: Whether answers and feedback are logged.
        log_days: Days until logged answers are deleted; None keeps them.
        follow: Whether workers switch to newly promoted versions.
    """

    workers: int = Field(1, ge=1)
    api_keys: tuple[SecretStr, ...] = ()
    rate: float | None = Field(None, gt=0, allow_inf_nan=False)
    log: bool = True
    log_days: float | None = Field(None, gt=0, allow_inf_nan=False)
    follow: bool = True

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings from environment variables.

        Raises:
            InputError: A variable cannot be used; the message names it and never contains a key.
        """
        values = {name: environment.get(PREFIX + name.upper(), "").strip() for name in EXPECTED}
        given = {name: value for name, value in values.items() if value}
        try:
            return cls(**{**given, "api_keys": _keys(given.pop("api_keys", ""))})
        except ValidationError as error:
            name = str(error.errors()[0]["loc"][0])
            raise InputError(f"{PREFIX}{name.upper()} is {given[name]!r}; expected {EXPECTED[name]}.") from None


def _keys(given: str) -> tuple[SecretStr, ...]:
    keys = [k for k in map(str.strip, given.split(",")) if k]
    if any(len(k) < 8 for k in keys):
        raise InputError(f"{PREFIX}API_KEYS holds a key that is too short; expected {EXPECTED['api_keys']}.")
    return tuple(map(SecretStr, keys))
