"""Arithmetic statements: propose true and false ones, and check them from their text with independent code."""

from credence.generation.arithmetic.checker import CheckedStatement, check_statement
from credence.generation.arithmetic.normalization import content_id, mask_numbers, normalize_statement
from credence.generation.arithmetic.propose import CATEGORIES, Statement, propose_statement

__all__ = [
    "CATEGORIES",
    "CheckedStatement",
    "Statement",
    "check_statement",
    "content_id",
    "mask_numbers",
    "normalize_statement",
    "propose_statement",
]
