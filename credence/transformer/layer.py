"""One layer of the transformer: attention, then an MLP, each on normed vectors and added to what was there."""

from torch import Tensor, nn
from torch.nn import functional as F

from credence.expectation.attention import BlockAttention
from credence.neural.dropout import Dropout

WIDER = 4


class Layer(nn.Module):
    """Pre-LN (Xiong et al. 2020): x + attention(norm x), then x + MLP(norm x), four times as wide inside, GELU."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = BlockAttention(width, heads, dropout)
        self.widen, self.narrow = nn.Linear(width, WIDER * width), nn.Linear(WIDER * width, width)
        self.heard, self.thought = Dropout(dropout, width), Dropout(dropout, width)

    def forward(self, x: Tensor, mask: Tensor, segments: Tensor | None = None) -> Tensor:
        """New vectors for x [B, L, d], mask bool [B, L] and segment ids int64 [B, L], of real tokens from real ones."""
        x = x + self.heard(self.attention(self.before(x), mask, segments))
        answer: Tensor = x + self.thought(self.narrow(F.gelu(self.widen(self.between(x)))))
        return answer
