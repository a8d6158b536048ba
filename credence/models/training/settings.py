"""How a torch module learns: the section `training` of a model kind."""

from typing import Literal

from pydantic import Field

from credence.core.registry import StrictModel


class Training(StrictModel):
    """A batch is what one step of the optimiser sees, however many processes and passes share it.

    `batch_tokens` bounds its padded cells besides `batch_rows`; `accumulate` is the passes each process makes of it.
    `warmup` is a share of all steps. `patience` counts epochs without a better held-out log-loss. `clip` bounds the
    gradient's norm. With a folder, a checkpoint is due every `checkpoint_seconds`; 0 is after every step.
    """

    epochs: int = Field(20, ge=1)
    batch_rows: int = Field(32, ge=1)
    batch_tokens: int | None = Field(None, ge=1)
    accumulate: int = Field(1, ge=1)
    learning_rate: float = Field(1e-3, gt=0, le=1e6)
    weight_decay: float = Field(0.01, ge=0, allow_inf_nan=False)
    warmup: float = Field(0.06, ge=0, lt=1)
    decay: Literal["linear", "cosine", "none"] = "linear"
    clip: float | None = Field(1.0, gt=0)
    patience: int = Field(3, ge=1)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seed: int = Field(0, ge=0)
    checkpoint_seconds: float = Field(300, ge=0)
