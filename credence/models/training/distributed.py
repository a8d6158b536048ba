"""Data-parallel training in processes started by torchrun. A single process is a group of one.

Gradients are summed here, not by DistributedDataParallel. The loss is scaled by the rows of the whole batch. So the
sum is right for empty shards and shards of different sizes; DistributedDataParallel's mean is not.
"""

import atexit
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train one module, seen from this one: its `rank`, the `size` of the group, its `device`."""

    rank: int
    size: int
    device: torch.device

    @classmethod
    def join(cls, device: torch.device) -> "ProcessGroup":
        """Join the group named by RANK, WORLD_SIZE and MASTER_ADDR; without them, this process alone."""
        named = {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys() and int(os.environ["WORLD_SIZE"]) > 1
        if named and not dist.is_initialized():
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
            atexit.register(dist.destroy_process_group)
        if not (dist.is_available() and dist.is_initialized()):
            return cls(0, 1, device)
        return cls(dist.get_rank(), dist.get_world_size(), device)

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0, which writes files and progress."""
        return self.rank == 0

    def add(self, values: Tensor) -> Tensor:
        """Sum values over processes, in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def add_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace gradients by their sums over processes; a missing gradient becomes 0."""
        for p in parameters:
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        if self.size == 1:
            return
        for dtype in sorted({p.dtype for p in parameters}, key=str):
            grads = [p.grad for p in parameters if p.grad is not None and p.dtype == dtype]
            flat = self.add(torch.cat([grad.reshape(-1) for grad in grads]))
            for grad, summed in zip(grads, torch.split(flat, [grad.numel() for grad in grads]), strict=True):
                grad.copy_(summed.view_as(grad))

    def agree(self, tensors: Iterable[Tensor]) -> None:
        """Broadcast the values of rank 0 to all processes, in place."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def share(self, data: bytes | None) -> bytes | None:
        """Broadcast bytes, or None, from rank 0 to all processes."""
        if self.size == 1:
            return data
        length = torch.tensor([-1 if data is None else len(data)], device=self.device)
        self.agree([length])
        if length.item() < 0:
            return None
        cells = (
            torch.zeros(int(length), dtype=torch.uint8)
            if data is None
            else torch.frombuffer(bytearray(data), dtype=torch.uint8)
        )
        self.agree([cells := cells.to(self.device)])
        return cells.cpu().numpy().tobytes()
