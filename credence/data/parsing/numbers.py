"""Numbers as people write them: 1,234.5 or 1.234,5 or 1 234,5, with a currency or unit that all share."""

import re

import pandas as pd

EXACT = 2**53
MIN_GROUPED_CELLS = 20
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
    """Words as float64, where all of them are numbers written in one way; else None.

    Which mark sets off thousands is decided for the column as a whole: 1,5 beside 1,234 means a decimal comma. A unit
    counts where every word carries it; 12.5 % is read as 12.5. Codes such as 00123, or of 17 digits, would lose some
    of them and are no numbers, unless `codes` says so.
    """
    if not codes and (not len(words) or words.str.match(ZERO_FIRST).any()):
        return None
    if dot_is_thousands_separator(words):
        return _written(words)
    plain = pd.to_numeric(words, errors="coerce").astype("float64")
    if plain.isna().any():
        return _written(words)
    return plain if codes or not words[plain.abs() >= EXACT].str.fullmatch(r"[-+]?\d+").any() else None


def dot_is_thousands_separator(words: pd.Series) -> bool:
    """Whether 24.000 stands beside 850, and never 2.5 or 2400: among many decimals some would not have three digits."""
    dotted = words.str.contains(".", regex=False).to_numpy(bool)
    if len(words) < MIN_GROUPED_CELLS or dotted.all() or not dotted.any():
        return False
    thousands = words[dotted].str.fullmatch(r"-?[1-9]\d{0,2}(?:\.\d{3})+").all()
    return bool(thousands and words[~dotted].str.fullmatch(r"-?\d{1,3}").all())


def _written(words: pd.Series) -> pd.Series | None:
    if not NUMBER_PATTERN.fullmatch(_spelled(words.iloc[0])):  # most columns of words are told by their first
        return None
    found = words.map(lambda word: NUMBER_PATTERN.fullmatch(_spelled(word)))
    if found.isna().any() or len({(m["currency"], m["unit"].strip()) for m in found}) > 1:
        return None
    digits = found.map(lambda m: m["digits"])
    if digits.str.match(ZERO_FIRST).any():
        return None
    sign = found.map(lambda m: -1.0 if m["owed"] or m["minus"] or m["less"] else 1.0)
    styles = ((".", ","),) if dot_is_thousands_separator(digits) else SEPARATORS
    return next((value * sign for marks in styles if (value := _parsed(digits, *marks)) is not None), None)


def _spelled(word: str) -> str:
    return QUOTES.sub("'", BLANKS.sub(" ", word))


def _parsed(digits: pd.Series, group: str, decimal: str) -> pd.Series | None:
    """The values, where all digits are set off by these marks."""
    whole = rf"\d{{1,3}}(?:{re.escape(group)}\d{{3}})+|\d+" if group else r"\d+"
    if not digits.str.fullmatch(rf"(?:{whole})?(?:{re.escape(decimal)}\d+)?").all():
        return None
    bare = digits.str.replace(group, "", regex=False) if group else digits
    return bare.str.replace(decimal, ".", regex=False).astype("float64")
