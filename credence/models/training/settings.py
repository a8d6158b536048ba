"""Training settings that every torch kind has as fields."""

from typing import Literal

from pydantic import Field

from credence.core.registry import StrictModel


class Training(StrictModel):
    """Settings of the training engine. A batch is the rows of one optimizer step, over all processes and passes.

    Attributes:
        epochs: Largest number of passes over the training rows.
        batch_rows: Rows per batch.
        batch_tokens: Largest number of padded cells per batch; default no limit.
        accumulate: Passes in which each process computes a batch, to save memory.
        learning_rate: Peak learning rate of AdamW.
        weight_decay: Weight decay of AdamW, applied to matrices.
        warmup: Share of all steps in which the learning rate rises.
        decay: How the learning rate falls after warm-up.
        clip: Largest gradient norm; null for no limit.
        patience: Epochs without a better held-out log-loss before training stops.
        precision: Precision of matrix products; `auto` is bf16 or fp16 on a GPU and fp32 on a CPU.
        device: `auto` uses a GPU if there is one.
        seed: Seed of everything random.
        checkpoint_seconds: Seconds between training checkpoints; 0 saves after every step.
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
