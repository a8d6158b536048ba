"""Parse numbers such as 1,234.5, 1.234,5 or 1 234,5, with a currency or unit shared by the whole column."""

import re

import pandas as pd

EXACT = 2**53  # integers from here on lose digits as float64
MIN_GROUPED_CELLS = 20  # below, 1.234 beside 5 may be a decimal
BOOLEAN_WORDS = {"true": True, "false": False}
ZERO_FIRST = re.compile(r"^[-+]?0\d")
CURRENCY = r"[$€£¥₹₽₩₺₪฿₫₴₱₦]|US\$|(?:USD|EUR|GBP|CHF|JPY|CNY|INR)\b"
UNIT = rf"%|‰|°[CF]?|{CURRENCY}|[^\W\d_]{{1,12}}[²³.]?(?:/[^\W\d_]{{1,6}}[²³]?)?"
NUMBER_PATTERN = re.compile(
    rf"(?P<owed>\()?(?P<minus>[-−]?)\s?(?P<currency>{CURRENCY})?\s?(?P<less>[-−]?)"
    rf"(?P<digits>\d[\d.,' ]*(?<! )|[.,]\d+)(?P<unit>\s?(?:{UNIT})|)(?(owed)\))"
)
BLANKS, QUOTES = re.compile("[\u00a0\u2007\u2009\u202f]"), re.compile("[\u2019\u02bc]")
SEPARATORS = (("", "."), (",", "."), ("", ","), (".", ","), (" ", "."), (" ", ","), ("'", "."), ("'", ","))


def parse_numbers(words: pd.Series, codes: bool = False) -> pd.Series | None:
    """Parse words as float64 if all of them are numbers in one format; otherwise return None.

    The thousands separator is decided for the whole column: 1,5 beside 1,234 means a decimal comma. A unit must be
    on every word; 12.5 % gives 12.5.

    Args:
        words: Texts without missing values.
        codes: Whether 00123 and integers of 17 digits, which lose digits as float64, count as numbers.
    """
    if not codes and (not len(words) or words.str.match(ZERO_FIRST).any()):
        return None
    if dot_is_thousands_separator(words):
        return _parse_formatted(words)
    plain = pd.to_numeric(words, errors="coerce").astype("float64")
    if plain.isna().any():
        return _parse_formatted(words)
    return plain if codes or not words[plain.abs() >= EXACT].str.fullmatch(r"[-+]?\d+").any() else None


def dot_is_thousands_separator(words: pd.Series) -> bool:
    """Return whether dots separate thousands: 24.000 occurs beside 850, and neither 2.5 nor 2400 occurs."""
    dotted = words.str.contains(".", regex=False).to_numpy(bool)
    if len(words) < MIN_GROUPED_CELLS or dotted.all() or not dotted.any():
        return False
    thousands = words[dotted].str.fullmatch(r"-?[1-9]\d{0,2}(?:\.\d{3})+").all()
    return bool(thousands and words[~dotted].str.fullmatch(r"-?\d{1,3}").all())


def match_number(word: str) -> re.Match[str] | None:
    """Match a word with `NUMBER_PATTERN`, after replacing typographic spaces and apostrophes."""
    return NUMBER_PATTERN.fullmatch(QUOTES.sub("'", BLANKS.sub(" ", word)))


def sign_and_unit(number: re.Match[str]) -> tuple[float, tuple[str | None, str]]:
    """Return the sign, 1 or -1, of a matched number, and its currency and unit; (5) is negative."""
    negative = number["owed"] or number["minus"] or number["less"]
    return -1.0 if negative else 1.0, (number["currency"], number["unit"].strip())


def digits_pattern(group: str, decimal: str) -> str:
    """Return the pattern of digits with a thousands separator (or "" for none) and a decimal separator."""
    whole = rf"\d{{1,3}}(?:{re.escape(group)}\d{{3}})+|\d+" if group else r"\d+"
    return rf"(?:{whole})?(?:{re.escape(decimal)}\d+)?"


def is_float(word: str) -> bool:
    """Return whether Python's `float` accepts a word."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def _parse_formatted(words: pd.Series) -> pd.Series | None:
    if not match_number(words.iloc[0]):  # fast path: the first word shows that most columns are not numbers
        return None
    found = words.map(match_number)
    if found.isna().any() or len({sign_and_unit(m)[1] for m in found}) > 1:
        return None
    digits = found.map(lambda m: m["digits"])
    if digits.str.match(ZERO_FIRST).any():
        return None
    sign = found.map(lambda m: sign_and_unit(m)[0])
    styles = ((".", ","),) if dot_is_thousands_separator(digits) else SEPARATORS
    return next((value * sign for marks in styles if (value := _parse_digits(digits, *marks)) is not None), None)


def _parse_digits(digits: pd.Series, group: str, decimal: str) -> pd.Series | None:
    if not digits.str.fullmatch(digits_pattern(group, decimal)).all():
        return None
    bare = digits.str.replace(group, "", regex=False) if group else digits
    return bare.str.replace(decimal, ".", regex=False).astype("float64")
