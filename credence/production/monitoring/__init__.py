"""Monitoring: drift of inputs and answers, performance on labelled rows; the section `monitoring` of a task."""

from datetime import datetime, timedelta

import pandas as pd
from pydantic import Field, field_validator

from credence.core.errors import InputError
from credence.core.registry import StrictModel
from credence.core.time_format import parse_duration
from credence.production.alerts import AlertSinks

FOR_COLUMNS, FOR_SEQUENCE, FOR_LOSS = 0.6, 0.2, 0.2


class Monitoring(StrictModel):
    """Which records are examined and what raises an alarm."""

    window: str | int = Field("1d", description="time to look back, such as 6h or 7d, or a number of rows")
    minimum_rows: int = Field(100, ge=20, description="with fewer distinct rows there is no test for drift")
    minimum_labels: int = Field(50, ge=20, description="with fewer labelled rows there is no test for a loss")
    alpha: float = Field(0.05, gt=0, le=0.5, description="probability of a false alarm in a window without change")
    effect: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="share of a column's rows that must have moved for drift; less gives watch",
    )
    ignore: list[str] = Field([], description="columns whose change is expected: shown, but they raise no alarm")
    retrain: bool = Field(False, description="start training after drift or a loss above the gate's margin")
    latency_ms: float = Field(100.0, gt=0, description="the time within which 95 % of the requests shall be answered")
    alerts: AlertSinks = AlertSinks()

    @field_validator("window")
    @classmethod
    def _window_is_a_span_or_rows(cls, window: str | int) -> str | int:
        if isinstance(window, str):
            try:
                parse_duration(window)
            except InputError as error:
                raise ValueError(f"{error} A number of rows is possible too.") from None
        elif window < 1:
            raise ValueError(f"a window of {window} rows is empty; expected 1 or more")
        return window

    def since(self, now: datetime) -> datetime | None:
        """Start of the window before `now`; None if the window is a number of rows."""
        return now - timedelta(seconds=parse_duration(self.window)) if isinstance(self.window, str) else None

    def newest(self, records: pd.DataFrame) -> pd.DataFrame:
        """The newest records, if the window is a number of rows; else all of them."""
        return records.sort_values("time", kind="stable").tail(self.window) if isinstance(self.window, int) else records
