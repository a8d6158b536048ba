"""Detect personal data in texts and column names: contacts, card, account and id numbers, addresses, logins."""

import re
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from credence.security.pii.patterns import IPV6, NUMBER_PATTERNS, NumberPattern

COLUMN_WORDS = {
    "email": ("email", "e mail", "mail address"),
    "phone": ("phone", "telephone", "phone number", "mobile number", "cell number", "msisdn", "fax"),
    "credit_card": ("credit card", "creditcard", "card number", "cardnumber", "cc number", "cvv"),
    "iban": ("iban", "bank account", "account number"),
    "us_ssn": ("ssn", "social security", "social security number"),
    "national_id": ("national id", "passport", "passport number", "tax id", "tin", "nino", "drivers license"),
    "person_name": (
        "surname",
        "lastname",
        "last name",
        "firstname",
        "first name",
        "full name",
        "fullname",
        "given name",
        "family name",
        "maiden name",
        "middle name",
        "patient name",
        "customer name",
    ),
    "birth_date": ("birth", "birthday", "birthdate", "birth date", "date of birth", "dob"),
    "address": ("address", "street", "postcode", "postal code", "zip", "zipcode", "zip code"),
    "ip_address": ("ip", "ip address", "ipaddress"),
}
NAME_ENDINGS = r"(?: (?:[0-9]+|number|no|nr|date|year|code|hash))*"
COLUMN_PATTERNS = {
    kind: re.compile(rf"(?:.* )?(?:{'|'.join(words)}){NAME_ENDINGS}") for kind, words in COLUMN_WORDS.items()
}


def pii_kinds_of_column(column: str) -> set[str]:
    """Return the kinds of personal data that a column's name suggests: customerEmail, E-MAIL and email_2 mean email."""
    spaced = " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", column)).lower()
    return {kind for kind, pattern in COLUMN_PATTERNS.items() if pattern.fullmatch(spaced)}


MIN_VALID_SHARE = 0.5  # of random numbers in a card's format, one in ten has valid check digits
ONE_LINE = str.maketrans("\r\n", "  ")
DIGIT_RUN = re.compile(r"\d(?:[^\d\n]{0,6}\d){4}", re.ASCII)
COLON_RUN = re.compile(r":[0-9a-fA-F]{0,4}:", re.ASCII)
CONTEXT_BEFORE, CONTEXT_AFTER = 30, 40
EMAIL_LOCAL_PART = re.compile(r"[A-Za-z0-9][\w.%+'-]{0,63}$", re.ASCII)
EMAIL_DOMAIN = re.compile(r"@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}\b", re.ASCII)
URL_LOGIN = re.compile(r"://[^\s/:@?#]{1,100}:[^\s/@]{1,100}@[\w.-]", re.ASCII)
Match = tuple[str, int]


def find_pii(texts: list[str]) -> dict[str, NDArray[np.integer]]:
    """Return, by kind of personal data, the sorted indices of the texts that contain it."""
    blob = "\n".join(text.translate(ONE_LINE) for text in texts)
    starts = np.cumsum([0, *(len(text) + 1 for text in texts)])
    found: dict[str, list[int]] = defaultdict(list)
    for kind, at in [*_emails_and_logins(blob), *_number_matches(blob)]:
        found[kind].append(at)
    return {kind: np.unique(np.searchsorted(starts, at, side="right") - 1) for kind, at in found.items()}


def _emails_and_logins(blob: str) -> Iterator[Match]:
    """Find URLs with a user and password, and e-mail addresses outside of them."""
    logins = {match.end() - 1 for match in URL_LOGIN.finditer(blob)}
    yield from (("login", at) for at in logins)
    for match in EMAIL_DOMAIN.finditer(blob):
        if match.start() + 1 not in logins and EMAIL_LOCAL_PART.search(
            blob[max(match.start() - 64, 0) : match.start()]
        ):
            yield "email", match.start()


def _number_matches(blob: str) -> Iterator[Match]:
    spans, used = _candidate_spans(DIGIT_RUN, blob), set(blob)
    for number in (number for number in NUMBER_PATTERNS if used.intersection(number.needs)):
        yield from _validated_matches(number, blob, spans)
    yield from _validated_matches(IPV6, blob, _candidate_spans(COLON_RUN, blob))


def _candidate_spans(trigger: re.Pattern[str], blob: str) -> list[tuple[int, int]]:
    """Return the spans near a trigger, which the slow patterns search; in prose, 1 % of the characters."""
    spans: list[tuple[int, int]] = []
    for match in trigger.finditer(blob):
        start, end = max(match.start() - CONTEXT_BEFORE, 0), match.end() + CONTEXT_AFTER
        if spans and start <= spans[-1][1]:
            start = spans.pop()[0]
        spans.append((start, end))
    return spans


def _validated_matches(number: NumberPattern, blob: str, spans: list[tuple[int, int]]) -> list[Match]:
    """Return the valid numbers, or none if most look-alikes are invalid: then the valid ones are by chance."""
    alike = [match for start, end in spans for match in number.pattern.finditer(blob, start, end)]
    alike = [match for match in alike if number.like(match[0])]
    valid = [(number.kind, match.start()) for match in alike if number.valid(match[0])]
    return valid if len(valid) >= MIN_VALID_SHARE * len(alike) else []
