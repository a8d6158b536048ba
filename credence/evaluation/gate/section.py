"""The section `gate` of a task."""

from typing import Self

from pydantic import Field, model_validator

from credence.core.registry import StrictModel
from credence.statistics.metrics import METRICS, MetricName


class Gate(StrictModel):
    """When a challenger is good enough to replace the champion."""

    metric: MetricName = Field("accuracy", description="the metric that is judged")
    minimum: float | None = Field(None, ge=0, description="least value of the metric; for losses the largest")
    margin: float = Field(
        0.0, ge=0, lt=1, description="0: must be significantly better; else not worse by more than this"
    )
    confidence: float = Field(
        0.95, gt=0.5, lt=1, description="1 - the probability of a wrong promotion, over all comparisons together"
    )
    resamples: int = Field(2000, ge=200, le=100_000, description="resamples of the paired bootstrap")
    worst_group: float | None = Field(
        0.05, ge=0, lt=1, description="hold if a group is significantly worse by more than this; null switches it off"
    )
    calibration_error: bool = Field(
        True, description="hold if the calibration error is above chance level and above the champion's"
    )
    coverage: bool = Field(True, description="hold if conformal sets hold the true answer less often than promised")
    latency_ms: float | None = Field(None, gt=0, description="hold if one row takes longer than this")
    seen_share: float = Field(
        0.1, ge=0, le=1, description="hold if the champion was trained on more than this share of the test rows"
    )

    @model_validator(mode="after")
    def _minimum_is_reachable(self) -> Self:
        most = METRICS[self.metric].widest
        if self.minimum is not None and self.minimum > most:
            raise ValueError(f"minimum is {self.minimum:g}, but {METRICS[self.metric].title} is never above {most:g}")
        return self
