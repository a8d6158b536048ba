"""How a model came to be, beside its weights: what the report shows of learning and sampling."""

from credence.kinds import Strict


class Diagnostic(Strict):
    """One figure that tells whether a sampler can be trusted, its bound, and whether it keeps to it."""

    name: str
    value: float
    bound: str
    kept: bool


class Learned(Strict):
    """All optional. A kind fills in what it has.

    passes: forward passes that one row takes. cpu_seconds: processor time of fitting. model_bits: what the weights cost
    to write down (KL / ln 2). curves: name -> one value per epoch. chains: parameter -> its draws, shape
    (chains, draws), thinned to a few hundred each.
    """

    passes: int = 1
    cpu_seconds: float | None = None
    model_bits: float | None = None
    curves: dict[str, list[float]] = {}
    diagnostics: list[Diagnostic] = []
    chains: dict[str, list[list[float]]] = {}
    notes: list[str] = []
