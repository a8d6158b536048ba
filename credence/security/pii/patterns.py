"""Patterns and check digits of numbers that identify a person, an account or a network address."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

import phonenumbers
from stdnum import iban, luhn
from stdnum.br import cpf
from stdnum.cn import ric
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.it import codicefiscale
from stdnum.kr import rrn
from stdnum.mx import curp
from stdnum.us import ssn

CARD_BRANDS = re.compile(
    r"4(\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|6(011|5\d\d|4[4-9]\d)\d{12}|3(0[0-5]|[68]\d)\d{11}|35(2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)
NATIONAL_FROM_0 = ("GB", "FR", "AU")
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
WORD_BOUNDARY = (r"(?<![\w./+-])(?<!\d[,:])", r"(?![\w-])(?!\.\d)")


@dataclass(frozen=True)
class NumberPattern:
    """The format of one kind of number.

    `pattern` finds it, `like` selects look-alikes (by default all matches), and `valid` checks their check digits.
    A text without any character of `needs` cannot contain it.
    """

    kind: str
    pattern: re.Pattern[str]
    valid: Callable[[str], object]
    needs: str
    like: Callable[[str], object] = bool


def _number(
    kind: str, needs: str, pattern: str, valid: Callable[[str], object], like: Callable[[str], object] = bool
) -> NumberPattern:
    """Create a pattern that matches only whole numbers, not parts of a longer number, word or path."""
    return NumberPattern(kind, re.compile(WORD_BOUNDARY[0] + pattern + WORD_BOUNDARY[1], re.ASCII), valid, needs, like)


def _card(text: str) -> bool:
    return bool(luhn.is_valid(re.sub(r"\D", "", text)))


def _has_card_brand(text: str) -> bool:
    """Return whether length and first digits are those of a known card brand."""
    return bool(CARD_BRANDS.fullmatch(re.sub(r"\D", "", text)))


def _phone(text: str) -> bool:
    """Check an international number, a national one that starts with 0, or one of the United States."""
    text = re.sub("^00", "+", text)
    regions: tuple[str | None, ...] = (None,) if text[0] == "+" else NATIONAL_FROM_0 if text[0] == "0" else ("US",)
    return any(_is_phone_in(text, region) for region in regions)


def _is_phone_in(text: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, region))
    except phonenumbers.NumberParseException:
        return False


def _ip_address(text: str) -> bool:
    """Check an IP address; version and section numbers such as 1.2.3.4 do not count."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    small = address.version == 4 and max(address.packed) < 10
    return not (small or address.is_loopback or address.is_unspecified or address.is_multicast)


NUMBER_PATTERNS = (
    _number("credit_card", " -", r"(?:\d{4}[ -]){3}\d{1,7}", _card, _has_card_brand),
    _number("credit_card", " -", r"\d{4}([ -])\d{6}\1\d{4,5}", _card, _has_card_brand),
    _number("credit_card", "0123456789", r"\d{13,19}", _card, _has_card_brand),
    _number("us_ssn", "-", r"\d{3}-\d{2}-\d{4}", ssn.is_valid),
    _number("national_id", ".", r"\d{3}\.\d{3}\.\d{3}-\d{2}", cpf.is_valid),
    _number("national_id", "0123456789", r"\d{17}[\dXx]", ric.is_valid),
    _number("national_id", "-", r"\d{6}-[1-8]\d{6}", rrn.is_valid),
    _number("national_id", "0123456789", r"[1278] ?\d\d ?[01]\d ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}", nir.is_valid),
    _number("national_id", CAPITALS, r"\d{8}-?[A-Z]", dni.is_valid),
    _number("national_id", CAPITALS, r"[XYZ]\d{7}-?[A-Z]", nie.is_valid),
    _number("national_id", "0123456789", r"\d{6}[-+A]\d{3}[0-9A-Z]", hetu.is_valid),
    _number("national_id", CAPITALS, r"[A-Z]{6}\d\d[A-EHLMPR-T]\d\d[A-Z]\d{3}[A-Z]", codicefiscale.is_valid),
    _number("national_id", CAPITALS, r"[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d", curp.is_valid),
    _number("iban", CAPITALS, r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?", iban.is_valid),
    _number("phone", "+0", r"(?:\+[1-9]|00[1-9]|\(\+\d{1,3}\))[\d ()./-]{6,20}\d", _phone),
    _number("phone", " -.", r"(?:\+?1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}", _phone),
    _number("phone", "0", r"0[1-9]\d{1,4}[ /-]?\d{3,4}[ -]?\d{3,4}", _phone),
    _number("ip_address", ".", r"\d{1,3}(?:\.\d{1,3}){3}", _ip_address),
)
IPV6 = NumberPattern(
    "ip_address", re.compile(r"(?<![\w:.])[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?![\w:])"), _ip_address, ":"
)
