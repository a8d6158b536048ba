"""Statements about numbers: proposed to be true or false, and, by code of its own, checked from the text alone."""

from credence.arithmetic.checker import Checked, check
from credence.arithmetic.content import content_id, masked, normalised
from credence.arithmetic.proposal import CATEGORIES, Item, propose

__all__ = ["CATEGORIES", "Checked", "Item", "check", "content_id", "masked", "normalised", "propose"]
