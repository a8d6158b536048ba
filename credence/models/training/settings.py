"""Training settings that every torch kind has as fields."""

from typing import Literal

from pydantic import Field

from credence.core.registry import StrictModel


class Training(StrictModel):
    """Settings of the training engine. A batch is the rows of one optimizer step, over all processes and passes."""

    epochs: int = Field(20, ge=1, description="largest number of passes over the training rows")
    batch_rows: int = Field(32, ge=1, description="rows per batch")
    batch_tokens: int | None = Field(
        None, ge=1, description="largest number of padded cells per batch; default no limit"
    )
    accumulate: int = Field(1, ge=1, description="passes in which each process computes a batch, to save memory")
    learning_rate: float = Field(1e-3, gt=0, le=1e6, description="peak learning rate of AdamW")
    weight_decay: float = Field(
        0.01, ge=0, allow_inf_nan=False, description="weight decay of AdamW, applied to matrices"
    )
    warmup: float = Field(0.06, ge=0, lt=1, description="share of all steps in which the learning rate rises")
    decay: Literal["linear", "cosine", "none"] = Field(
        "linear", description="how the learning rate falls after warm-up"
    )
    clip: float | None = Field(1.0, gt=0, description="largest gradient norm; null for no limit")
    patience: int = Field(3, ge=1, description="epochs without a better held-out log-loss before training stops")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="precision of matrix products; `auto` is bf16 or fp16 on a GPU and fp32 on a CPU"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="`auto` uses a GPU if there is one")
    seed: int = Field(0, ge=0, description="seed of everything random")
    checkpoint_seconds: float = Field(
        300, ge=0, description="seconds between training checkpoints; 0 saves after every step"
    )
