"""Torch seeds derived from the seed and the place in the run, such as epoch and step.

Random numbers do not depend on what ran before. So checkpoints need no generator state, and a resumed run draws the
same numbers.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch

CPU = torch.device("cpu")


@contextmanager
def seeded(*place: int | str, device: torch.device = CPU) -> Iterator[None]:
    """Seed torch by `place` inside the context; restore its generators afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        set_seed(*place, device=device)
        yield


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Use torch's deterministic algorithms inside the context if the device is a CPU; restore the mode afterwards."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def set_seed(*place: int | str, device: torch.device = CPU) -> None:
    """Seed torch's generators of the CPU and `device` by `place`, a seed and names or numbers."""
    seed = int.from_bytes(hashlib.sha256(repr(place).encode()).digest()[:8], "big") >> 1
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
