"""Audit table of promotions: who made which version the champion, when, how and why."""

from collections.abc import Sequence
from typing import Literal

from credence.core.registry import StrictModel

PromotionReason = Literal["gate", "approved", "by hand", "rollback", "trial"]


class Promotion(StrictModel):
    """One line of the append-only audit table; a trial does not make a champion."""

    version: int
    replaces: int | None
    when: str
    who: str
    how: PromotionReason
    reason: str


def audit_table(promotions: Sequence[Promotion], champion: int | None) -> str:
    """The audit table as text, newest first, each line with its reason below it; the champion's line is marked."""
    newest = sorted(promotions, key=lambda p: p.when, reverse=True)
    current = next((p for p in newest if p.version == champion and p.how != "trial"), None)
    return "\n".join(f"{_line(p, p is current)}\n    {p.reason}" for p in newest)


def _line(p: Promotion, is_champion: bool) -> str:
    instead = f"replaces {p.replaces}" if p.replaces else ""
    what = f"version {p.version}{' (champion)' if is_champion else ''}"
    return f"{p.when[:19].replace('T', ' ')} UTC  {what:<22} {instead:<12} {p.how:<9} {p.who}"
