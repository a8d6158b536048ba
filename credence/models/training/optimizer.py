"""AdamW with warm-up, decay, gradient clipping and loss scaling; its state as tensors."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from credence.models.training.settings import Training
from credence.models.training.trainable import Trainable
from credence.models.training.weight_files import Tensors, copy_weights


def learning_rate_at(settings: Training, done: float) -> float:
    """Return the learning rate at a share `done` in [0, 1] of the run: linear warm-up, then decay to 0 at the end."""
    if done < settings.warmup:
        return settings.learning_rate * done / settings.warmup
    left = (1 - done) / (1 - settings.warmup)
    shape = {"linear": left, "cosine": (1 - math.cos(math.pi * left)) / 2, "none": 1.0}
    return settings.learning_rate * shape[settings.decay]


class Optimizer:
    """AdamW (Loshchilov & Hutter 2019) over the trainable parameters of a module.

    The module decides which parameters decay (`Trainable.decays`) and the factor of each one's learning rate
    (`Trainable.pace`).
    """

    def __init__(self, module: Trainable, settings: Training, device: torch.device, precision: str) -> None:
        groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
        for name, p in module.named_parameters():
            if p.requires_grad:
                groups.setdefault((not module.decays(name, p), module.pace(name)), []).append(p)
        self.parameters, self._settings = [p for key in sorted(groups) for p in groups[key]], settings
        options = [
            {"params": groups[spared, pace], "pace": pace, "weight_decay": 0.0 if spared else settings.weight_decay}
            for spared, pace in sorted(groups)
        ]
        self._adam = torch.optim.AdamW(options, lr=settings.learning_rate)
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

    def scaled(self, loss: Tensor) -> Tensor:
        """Scale a loss so that its gradients do not underflow in fp16; unchanged in other precisions."""
        return self._scaler.scale(loss)

    def clear(self) -> None:
        """Set all gradients to None."""
        self._adam.zero_grad(set_to_none=True)

    def step(self, done: float) -> float:
        """Update the parameters from their gradients.

        Args:
            done: Share of the run that is done, in [0, 1]; sets the learning rate.

        Returns:
            The gradient norm before clipping. If it is not finite, no parameter changes; the result is 0 while fp16
            still searches for its loss scale.
        """
        for group in self._adam.param_groups:
            group["lr"] = learning_rate_at(self._settings, done) * group["pace"]
        self._scaler.unscale_(self._adam)
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters, self._settings.clip or math.inf))
        if not math.isfinite(norm) and (not self._scaler.is_enabled() or self._scaler.get_scale() < 1):
            return norm
        self._scaler.step(self._adam)
        self._scaler.update()
        return norm if math.isfinite(norm) else 0.0

    def tensors(self) -> Tensors:
        """Copy the moments to the CPU, named "<parameter number>.<moment>"."""
        state = self._adam.state_dict()["state"]
        return copy_weights(
            {f"{number}.{name}": value for number, entry in state.items() for name, value in entry.items()}
        )

    def facts(self) -> dict[str, Any]:
        """Return the state that JSON can hold: the loss scale of fp16; empty in other precisions."""
        return dict(self._scaler.state_dict())

    def restore(self, tensors: Mapping[str, Tensor], facts: dict[str, Any]) -> None:
        """Restore the state that `tensors` and `facts` returned."""
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            number, key = name.split(".")
            state.setdefault(int(number), {})[key] = value
        self._adam.load_state_dict({**self._adam.state_dict(), "state": state})
        if facts:
            self._scaler.load_state_dict(facts)
