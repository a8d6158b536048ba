"""Several processes that learn one module, as torchrun starts them; one process is a team of one.

Gradients are added up by ourselves, not by DistributedDataParallel: a batch's loss is scaled by the rows of all
processes, so that sums are right also where shards differ in size or are empty, which a wrapper's mean is not.
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
    """This process among those that learn together."""

    rank: int
    size: int
    device: torch.device

    @classmethod
    def join(cls, device: torch.device) -> "ProcessGroup":
        """The team that the environment names (RANK, WORLD_SIZE, MASTER_ADDR), or this process alone."""
        asked = {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys() and int(os.environ["WORLD_SIZE"]) > 1
        if asked and not dist.is_initialized():
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
            atexit.register(dist.destroy_process_group)
        if not (dist.is_available() and dist.is_initialized()):
            return cls(0, 1, device)
        return cls(dist.get_rank(), dist.get_world_size(), device)

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes and shows."""
        return self.rank == 0

    def add(self, values: Tensor) -> Tensor:
        """Values that every process holds a share of, summed in place over processes."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def add_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace gradients by their sums over processes. What no row of a batch reaches has gradient 0."""
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
        """Give every process the first one's values, in place."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def share(self, data: bytes | None) -> bytes | None:
        """What the first process read from its disk, on all of them."""
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
