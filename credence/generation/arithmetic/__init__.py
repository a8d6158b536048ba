"""Statements about numbers: proposed to be true or false, and, by code of its own, checked from the text alone."""

from credence.generation.arithmetic.checker import Checked, check
from credence.generation.arithmetic.normalization import content_id, masked, normalised
from credence.generation.arithmetic.propose import CATEGORIES, Item, propose

__all__ = ["CATEGORIES", "Checked", "Item", "check", "content_id", "masked", "normalised", "propose"]
