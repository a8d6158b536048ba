"""Extraction of the numbers in a text: position and value."""

import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

# Digits that continue a word (B12) are matched together with it and then skipped.
RUN = re.compile(r"(?<![A-Za-z_])(?P<word>[A-Za-z_]++)?(?P<digits>\.?[0-9]+(?:[.,][0-9]+)*(?:[eE][-+]?[0-9]{1,3}\b)?)")
ONE_NUMBER = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]*)(?:\.[0-9]+)?(?:[eE].+)?")
DIGITS = re.compile("[0-9]+")
MINUS, CLOSING = "-\N{MINUS SIGN}", ")]}%"
LOOK_BACK = 8
PLACEHOLDER = "#"


class FoundNumber(NamedTuple):
    """A number in a text, written as text[start:end]."""

    start: int
    end: int
    value: float


def number_values(text: str) -> list[float]:
    """Return the values of all numbers of a text, in order."""
    return [number.value for number in find_numbers(text)]


def find_numbers(text: str) -> list[FoundNumber]:
    """Find all numbers of a text, in order.

    Numbers are written as 7, 0.5, 1,820 or 2e5; 3/4 without blanks is one number, the ratio. A minus is a sign only if
    no number, word or closing bracket stands before it: 5 - 3 and 5-3 hold 5 and 3. Digits that continue a word (B12)
    are skipped, and 1.2.3 is three numbers. Values are limited to the range of floats.
    """
    chains: list[list[FoundNumber]] = []
    for number in _written(text):
        if chains and text[chains[-1][-1].end : number.start] == "/":
            chains[-1].append(number)
        else:
            chains.append([number])
    return [number for chain in chains for number in _ratio(chain)]


def mask_numbers(text: str) -> str:
    """Replace every number of a text by # with blanks around it."""
    end, parts = 0, []
    for number in find_numbers(text):
        parts += [text[end : number.start], PLACEHOLDER]
        end = number.end
    return " ".join([*parts, text[end:]])


def _written(text: str) -> Iterator[FoundNumber]:
    for run in RUN.finditer(text):
        if run["word"]:
            continue
        one = ONE_NUMBER.fullmatch(run["digits"])
        spans = [run.span("digits")] if one else [m.span() for m in DIGITS.finditer(text, *run.span("digits"))]
        for start, end in spans:
            value = _bounded(float(text[start:end].replace(",", "")))
            yield FoundNumber(start - 1, end, -value) if _signed(text, start) else FoundNumber(start, end, value)


def _signed(text: str, start: int) -> bool:
    """Return whether a minus sign precedes the number at `start`, and no number, word or closing bracket that."""
    if not start or text[start - 1] not in MINUS:
        return False
    before = text[max(0, start - 1 - LOOK_BACK) : start - 1]
    term = before.rstrip()[-1:]
    return not (before[-1:].isalpha() or before[-1:] == "_" or term.isdigit() or (term and term in CLOSING))


def _ratio(chain: list[FoundNumber]) -> list[FoundNumber]:
    """Merge two numbers joined by a slash; 1/2/2026 stays three numbers, and a division by 0 stays two."""
    if len(chain) != 2 or not chain[1].value:
        return chain
    (start, _, above), (_, end, below) = chain
    return [FoundNumber(start, end, _bounded(above / below))]


def _bounded(value: float) -> float:
    return max(-sys.float_info.max, min(value, sys.float_info.max))
