"""Which texts hold personal data: e-mail addresses, phone, card and account numbers, ids, network addresses, logins."""

import re
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from credence.security.pii.patterns import ADDRESS_6, FORMS, Form

WORDS = {
    "email": ("email", "e mail", "mail address"),
    "phone": ("phone", "telephone", "phone number", "mobile number", "cell number", "msisdn", "fax"),
    "credit_card": ("credit card", "creditcard", "card number", "cardnumber", "cc number", "cvv"),
    "iban": ("iban", "bank account", "account number"),
    "us_ssn": ("ssn", "social security", "social security number"),
    "national_id": ("national id", "passport", "passport number", "tax id", "tin", "nino", "drivers license"),
    "person_name": ("surname", "lastname", "last name", "firstname", "first name", "full name", "fullname",
                    "given name", "family name", "maiden name", "middle name", "patient name", "customer name"),
    "birth_date": ("birth", "birthday", "birthdate", "birth date", "date of birth", "dob"),
    "address": ("address", "street", "postcode", "postal code", "zip", "zipcode", "zip code"),
    "ip_address": ("ip", "ip address", "ipaddress"),
}  # fmt: skip
NAME_ENDINGS = r"(?: (?:[0-9]+|number|no|nr|date|year|code|hash))*"
KINDS = {kind: re.compile(rf"(?:.* )?(?:{'|'.join(words)}){NAME_ENDINGS}") for kind, words in WORDS.items()}


def named(column: str) -> set[str]:
    """The kinds of personal data that a column is named for: customerEmail, E-MAIL and email_2 are for email."""
    spaced = " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", column)).lower()
    return {kind for kind, pattern in KINDS.items() if pattern.fullmatch(spaced)}


SURE = 0.5
ONE_LINE = str.maketrans("\r\n", "  ")
DIGITS = re.compile(r"\d(?:[^\d\n]{0,6}\d){4}", re.ASCII)
COLONS = re.compile(r":[0-9a-fA-F]{0,4}:", re.ASCII)
BEFORE, AFTER = 30, 40
LOCAL = re.compile(r"[A-Za-z0-9][\w.%+'-]{0,63}$", re.ASCII)
DOMAIN = re.compile(r"@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}\b", re.ASCII)
LOGIN = re.compile(r"://[^\s/:@?#]{1,100}:[^\s/@]{1,100}@[\w.-]", re.ASCII)
Place = tuple[str, int]


def found_in(texts: list[str]) -> dict[str, NDArray[np.integer]]:
    """By kind, the places of the texts that hold it."""
    blob = "\n".join(text.translate(ONE_LINE) for text in texts)
    starts = np.cumsum([0, *(len(text) + 1 for text in texts)])
    found: dict[str, list[int]] = defaultdict(list)
    for kind, at in [*_signed(blob), *_numbered(blob)]:
        found[kind].append(at)
    return {kind: np.unique(np.searchsorted(starts, at, side="right") - 1) for kind, at in found.items()}


def _signed(blob: str) -> Iterator[Place]:
    """What a sign gives away: :// a login, any other @ an e-mail address."""
    logins = {match.end() - 1 for match in LOGIN.finditer(blob)}
    yield from (("login", at) for at in logins)
    for match in DOMAIN.finditer(blob):
        if match.start() + 1 not in logins and LOCAL.search(blob[max(match.start() - 64, 0) : match.start()]):
            yield "email", match.start()


def _numbered(blob: str) -> Iterator[Place]:
    spans, used = _spans(DIGITS, blob), set(blob)
    for form in (form for form in FORMS if used.intersection(form.needs)):
        yield from _checked(form, blob, spans)
    yield from _checked(ADDRESS_6, blob, _spans(COLONS, blob))


def _spans(trigger: re.Pattern[str], blob: str) -> list[tuple[int, int]]:
    """The parts of the text worth a closer look: a hundred times fewer characters in prose."""
    spans: list[tuple[int, int]] = []
    for match in trigger.finditer(blob):
        start, end = max(match.start() - BEFORE, 0), match.end() + AFTER
        if spans and start <= spans[-1][1]:
            start = spans.pop()[0]
        spans.append((start, end))
    return spans


def _checked(form: Form, blob: str, spans: list[tuple[int, int]]) -> list[Place]:
    """The places of valid numbers; none where most that are written alike are not, as with numbers by chance."""
    there = [match for start, end in spans for match in form.pattern.finditer(blob, start, end)]
    there = [match for match in there if form.like(match[0])]
    valid = [(form.kind, match.start()) for match in there if form.valid(match[0])]
    return valid if len(valid) >= SURE * len(there) else []
