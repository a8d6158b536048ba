"""Encoded rows of different lengths, and batches padded to their longest row."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

Column = Tensor | Sequence[Tensor]


@dataclass(frozen=True)
class Batch:
    """A batch of encoded rows.

    Attributes:
        ids: Row ids.
        columns: Name -> tensor; a ragged column has shape (rows, longest, …), zero-padded, any other (rows, …).
        lengths: Name of each ragged column -> cells per row, int64, shape (rows,).
    """

    ids: list[str]
    columns: dict[str, Tensor]
    lengths: dict[str, Tensor]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, name: str) -> Tensor:
        return self.columns[name]

    def mask(self, name: str) -> Tensor:
        """Return the mask of a ragged column, bool, shape (rows, longest): True for real cells, False for padding."""
        cells = torch.arange(self.columns[name].shape[1], device=self.lengths[name].device)
        return cells < self.lengths[name][:, None]

    def to(self, device: torch.device) -> "Batch":
        """Copy the batch to a device."""
        columns = {name: column.to(device, non_blocking=True) for name, column in self.columns.items()}
        lengths = {name: length.to(device, non_blocking=True) for name, length in self.lengths.items()}
        return Batch(self.ids, columns, lengths)


@dataclass(frozen=True)
class PaddedRows:
    """Encoded rows, the input of a torch module.

    Attributes:
        ids: Row ids.
        columns: Name -> tensor of shape (rows, …), or a ragged column: one tensor of shape (length, …) per row.

    Raises:
        ValueError: A column and `ids` differ in length.
    """

    ids: Sequence[str]
    columns: Mapping[str, Column]

    def __post_init__(self) -> None:
        for name, column in self.columns.items():
            if len(column) != len(self.ids):
                raise ValueError(f"column {name!r} has {len(column)} rows, and there are {len(self.ids)} ids.")

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Cells per row summed over ragged columns, shape (rows,): the cost of a row."""
        total = np.zeros(len(self), np.int64)
        for column in self.columns.values():
            if not isinstance(column, Tensor):
                total += [len(cells) for cells in column]
        return total

    def batch(self, numbers: Sequence[int]) -> Batch:
        """Return the rows with these numbers, in this order, as one padded batch."""
        ragged = {name: column for name, column in self.columns.items() if not isinstance(column, Tensor)}
        cells = {name: [column[i] for i in numbers] for name, column in ragged.items()}
        even = {name: column[list(numbers)] for name, column in self.columns.items() if isinstance(column, Tensor)}
        return Batch(
            [self.ids[i] for i in numbers],
            even | {name: _padded(rows) for name, rows in cells.items()},
            {name: torch.tensor([len(row) for row in rows]) for name, rows in cells.items()},
        )

    def digest(self) -> str:
        """Return the SHA-256 of ids, names, types and contents, in hex."""
        h = hashlib.sha256("\0".join(self.ids).encode())
        for name, column in sorted(self.columns.items()):
            flat = column if isinstance(column, Tensor) else torch.cat(list(column)) if column else torch.empty(0)
            lengths = [] if isinstance(column, Tensor) else [len(cells) for cells in column]
            h.update(f"\0{name} {flat.dtype} {tuple(flat.shape)} {lengths}".encode())
            h.update(np.ascontiguousarray(flat.detach().cpu().numpy()).tobytes())
        return h.hexdigest()


def _padded(rows: list[Tensor]) -> Tensor:
    """Pad to shape (rows, longest, …), at least one cell long: modules cannot handle an axis of length 0."""
    padded = pad_sequence(rows, batch_first=True)
    return padded if padded.shape[1] else padded.new_zeros((len(rows), 1, *padded.shape[2:]))
