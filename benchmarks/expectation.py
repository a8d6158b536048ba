"""What doubt costs: the transformer's layer and answer beside torch's, many dropout passes beside one.

`python -m benchmarks.expectation` prints ratios of processor time, each the median over pairs of turns: both sides take
turns in this process, on one thread, so that what else the machine does falls on both.
"""

import argparse
import sys
import time
from collections.abc import Callable
from statistics import median, quantiles
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn

from credence.core.registry import ModelSpec
from credence.generation.arithmetic.propose import CATEGORIES, propose_statement
from credence.models.expectation.variational_last_layer import logit_normal_mean
from credence.models.transformer.encoder import TokenEncoder
from credence.models.transformer.head import Head

WIDTH, HEADS, DROPOUT, SAMPLES, PASSES = 64, 4, 0.1, 50, 50
SHAPES = ((1, 16), (32, 16), (32, 64), (32, 256))
TEXTS = {1: "about 20", 8: "about 160"}
SECONDS = 0.05
Turn = Callable[[], object]


class Ratio(NamedTuple):
    """How many times the processor time of the plain side ours takes: the median, and the middle half of the pairs."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=40, help="turns of each side")
    pairs = parser.parse_args().pairs
    torch.set_num_threads(1)
    print("| what | batch × tokens | processor time | bar | parameters | bar |")
    print("|---|---|--:|--:|--:|--:|")
    for rows, length in SHAPES:
        for name, (ours, theirs, size) in sides(rows, length).items():
            found = ratio(ours, theirs, pairs)
            print(f"| {name} | {rows} × {length} | {found} | 1.3 | {size:.3f} | 1.1 |", flush=True)
    for times, length in TEXTS.items():
        found = ratio(*passes(times), pairs)
        print(f"| `bilstm`, {PASSES} masks beside one pass | 200 texts × {length} | {found} | 1.1 | 1 | |", flush=True)


def ratio(ours: Turn, theirs: Turn, pairs: int) -> Ratio:
    """Processor time of ours over that of theirs, turn by turn, each as many calls as theirs takes in 0.05 seconds."""
    calls = 1
    with torch.inference_mode():
        while spent(theirs, calls) < SECONDS:
            calls *= 2
        spent(ours, calls)
        found = [spent(ours, calls) / spent(theirs, calls) for _ in range(pairs)]
    low, _, high = quantiles(found, n=4)
    return Ratio(median(found), low, high)


def spent(turn: Turn, calls: int) -> float:
    """Processor seconds of so many calls."""
    begin = time.process_time()
    for _ in range(calls):
        turn()
    return time.process_time() - begin


def sides(rows: int, length: int) -> dict[str, tuple[Turn, Turn, float]]:
    """By name: ours, torch's pre-LN layer of the same shape with what stands behind it, and the ratio of parameters."""
    x, mask = cells(rows, length)
    encoder, layer, linear = TokenEncoder(WIDTH, 1, HEADS, DROPOUT, 1).eval(), plain(), nn.Linear(WIDTH, 1)
    head, block = Head(encoder.features, DROPOUT, variational=True).eval(), encoder.layers[0]
    plain_head, z = nn.Linear(encoder.features, 1), torch.randn(rows, encoder.features)

    def theirs() -> Tensor:
        return layer(x, src_key_padding_mask=~mask)

    def their_answer() -> Tensor:
        there = mask[..., None]
        return torch.sigmoid(linear(torch.where(there, theirs(), 0.0).sum(1) / there.sum(1)))

    def our_last() -> Tensor:
        block(x, mask)
        return logit_normal_mean(*head.moments(z))

    def their_last() -> Tensor:
        theirs()
        return torch.sigmoid(plain_head(z))

    def our_answer() -> Tensor:
        return logit_normal_mean(*head.moments(encoder(x, mask)))

    def our_draws() -> Tensor:
        return head.draws(encoder(x, mask), SAMPLES, torch.Generator().manual_seed(0))

    whole = (size(encoder) + size(head)) / (size(layer) + size(linear))
    return {
        "layer": (lambda: block(x, mask), theirs, size(block) / size(layer)),
        "layer and last layer, K = 1": (
            our_last,
            their_last,
            (size(block) + size(head)) / (size(layer) + size(plain_head)),
        ),
        "layer, pooling and last layer": (our_answer, their_answer, whole),
        f"the same and {SAMPLES} draws": (our_draws, their_answer, whole),
    }


def passes(times: int) -> tuple[Turn, Turn]:
    """Draws of 200 statements, each said so many times, by a network that drops features 50 times after pooling, and by
    one that drops none."""
    told = [propose_statement(0, c, label, i) for c in CATEGORIES for label in (False, True) for i in range(25)]
    X, y = (
        pd.DataFrame({"text": [". ".join([item.question] * times) for item in told]}),
        [int(item.answer) for item in told],
    )
    sampled, once = (
        ModelSpec(kind="bilstm", epochs=1, passes=n).build().fit(X, pd.Series(y).to_numpy()) for n in (PASSES, 0)
    )
    return lambda: sampled.draws(X), lambda: once.draws(X)


def cells(rows: int, length: int) -> tuple[Tensor, Tensor]:
    """Vectors of texts of uneven length, and which cells are real."""
    lengths = torch.linspace(length / 2, length, rows).round().long()
    return torch.randn(rows, length, WIDTH), torch.arange(length) < lengths[:, None]


def plain() -> nn.TransformerEncoderLayer:
    """Torch's own layer of the same shape, on its fast path."""
    layer = nn.TransformerEncoderLayer(
        WIDTH, HEADS, 4 * WIDTH, DROPOUT, activation="gelu", batch_first=True, norm_first=True
    )
    return layer.eval()


def size(module: nn.Module) -> int:
    """How many parameters it has."""
    return sum(p.numel() for p in module.parameters())


if __name__ == "__main__":
    sys.exit(main())
