"""One step of AdamW: the rate of the moment, gradients clipped, half precision scaled; and all of it as tensors."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from credence.models.training.settings import Training
from credence.models.training.trainable import Trainable
from credence.models.training.weight_files import Tensors, copy_weights


def learning_rate_at(settings: Training, done: float) -> float:
    """The learning rate once this share of a run is done: up in a line, then down to nothing at its end."""
    if done < settings.warmup:
        return settings.learning_rate * done / settings.warmup
    left = (1 - done) / (1 - settings.warmup)
    shape = {"linear": left, "cosine": (1 - math.cos(math.pi * left)) / 2, "none": 1.0}
    return settings.learning_rate * shape[settings.decay]


class Optimizer:
    """AdamW over the parameters that learn; a module says which of them decay, and at which pace each learns."""

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
        """A loss to go back from, large enough that its gradients are not lost in half precision."""
        return self._scaler.scale(loss)

    def clear(self) -> None:
        """Forget all gradients."""
        self._adam.zero_grad(set_to_none=True)

    def step(self, done: float) -> float:
        """Learn from the gradients there are, at this share of the run; their norm before clipping.

        Nothing is learned where that is not finite: it is returned, or 0 while half precision looks for its scale.
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
        """The moments, by number of the parameter and name."""
        state = self._adam.state_dict()["state"]
        return copy_weights(
            {f"{number}.{name}": value for number, entry in state.items() for name, value in entry.items()}
        )

    def facts(self) -> dict[str, Any]:
        """What JSON can hold: the scale of half precision."""
        return dict(self._scaler.state_dict())

    def restore(self, tensors: Mapping[str, Tensor], facts: dict[str, Any]) -> None:
        """Go on from what `tensors` and `facts` gave."""
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            number, key = name.split(".")
            state.setdefault(int(number), {})[key] = value
        self._adam.load_state_dict({**self._adam.state_dict(), "state": state})
        if facts:
            self._scaler.load_state_dict(facts)
