"""Chance that follows from numbers: what is drawn depends on the seed and the place in the run, not on what ran before.

So there is no state of a generator to keep: a run that is taken up in the middle draws what it would have drawn.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch

CPU = torch.device("cpu")


@contextmanager
def seeded(*place: int | str, device: torch.device = CPU) -> Iterator[None]:
    """Torch draws by this seed inside, and goes on outside as if nothing had been drawn."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        set_seed(*place, device=device)
        yield


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """On a CPU, operations that sum in any order sum in one and the same order inside."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def set_seed(*place: int | str, device: torch.device = CPU) -> None:
    """Let torch draw by this seed from here on."""
    seed = int.from_bytes(hashlib.sha256(repr(place).encode()).digest()[:8], "big") >> 1
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
