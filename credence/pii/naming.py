"""What the name of a column says about the persons in it."""

import re

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
AFTER = r"(?: (?:[0-9]+|number|no|nr|date|year|code|hash))*"
KINDS = {kind: re.compile(rf"(?:.* )?(?:{'|'.join(words)}){AFTER}") for kind, words in WORDS.items()}


def named(column: str) -> set[str]:
    """The kinds of personal data that a column is named for: customerEmail, E-MAIL and email_2 are for email."""
    spaced = " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", column)).lower()
    return {kind for kind, pattern in KINDS.items() if pattern.fullmatch(spaced)}
