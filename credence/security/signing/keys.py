"""Who may sign a predictor and whose signature counts: Ed25519 keys from the environment."""

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import SecretBytes

from credence.core.errors import InputError, did_you_mean
from credence.core.registry import StrictModel

SIGNING, VERIFYING = "CREDENCE_SIGNING_KEY", "CREDENCE_VERIFYING_KEYS"
RAW = 32
NEW = "make a pair with: python -m credence.security.signing new"


class Keys(StrictModel):
    """The private key to sign with and the public keys to trust, all as the 32 bytes that they are."""

    signing: SecretBytes | None = None
    trusted: tuple[bytes, ...] = ()

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """CREDENCE_SIGNING_KEY and CREDENCE_VERIFYING_KEYS; without the second, one's own key is trusted alone.

        BadInput names the variable that cannot be used, and never shows what it holds.
        """
        for name in environment:
            if name.startswith(("CREDENCE_SIGN", "CREDENCE_VERIFY")) and name not in (SIGNING, VERIFYING):
                raise InputError(f"{name} is set and means nothing. {did_you_mean(name, (SIGNING, VERIFYING))}")
        signing = _private(environment[SIGNING]) if SIGNING in environment else None
        if VERIFYING in environment:
            return cls(signing=signing, trusted=_publics(environment[VERIFYING]))
        return cls(signing=signing, trusted=(public_of(signing),) if signing else ())

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes that only the owner of the private key can make."""
        if self.signing is None:
            raise InputError(f"{SIGNING} is not set; expected the private key that signs what is promoted.")
        return Ed25519PrivateKey.from_private_bytes(self.signing.get_secret_value()).sign(message)


def is_valid_signature(public: bytes, signature: bytes, message: bytes) -> bool:
    """Did the owner of this public key sign this message?"""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def public_of(private: bytes | SecretBytes) -> bytes:
    """The public half of a private key."""
    raw = private.get_secret_value() if isinstance(private, SecretBytes) else private
    return Ed25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()


def identity(public: bytes) -> str:
    """A public key's fingerprint: how people and messages call it."""
    return hashlib.sha256(public).hexdigest()[:16]


def encode_key(public: bytes) -> str:
    """A public key as CREDENCE_VERIFYING_KEYS takes it."""
    return base64.b64encode(public).decode()


def generate_key_pair() -> tuple[bytes, bytes]:
    """A fresh private key as PEM, and the public key that belongs to it."""
    made = Ed25519PrivateKey.generate()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return made.private_bytes(pem, pkcs8, serialization.NoEncryption()), made.public_key().public_bytes_raw()


def _private(given: str) -> SecretBytes:
    content = _content(given, SIGNING)
    if "-----BEGIN" not in content:
        return SecretBytes(
            _raw(content, SIGNING, "the PEM or base64 of an Ed25519 private key, or a file that holds it")
        )
    try:
        key = serialization.load_pem_private_key(content.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InputError(
            f"{SIGNING} holds a PEM that is no plain private key; give it without a passphrase, or {NEW}."
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{SIGNING} holds a private key of another kind; expected Ed25519; {NEW}.")
    return SecretBytes(key.private_bytes_raw())


def _publics(given: str) -> tuple[bytes, ...]:
    keys = tuple(_public(part.strip()) for part in given.split(",") if part.strip())
    if not keys:
        raise InputError(
            f"{VERIFYING} is empty; give public keys, or unset it where unsigned predictors may be served."
        )
    return keys


def _public(given: str) -> bytes:
    content = _content(given, VERIFYING)
    if "-----BEGIN" not in content:
        return _raw(content, VERIFYING, "public keys as PEM or base64, or files that hold them, separated by commas")
    try:
        key = serialization.load_pem_public_key(content.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise InputError(
            f"{VERIFYING} holds a PEM that is no public key; expected the file ending in .pub of a pair."
        ) from None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{VERIFYING} holds a public key of another kind; expected Ed25519; {NEW}.")
    return key.public_bytes_raw()


def _content(given: str, variable: str) -> str:
    """The value itself, or what stands in the file that it names."""
    text = _text(given)
    if "-----BEGIN" in text or _decoded(text) is not None:
        return text
    try:
        return _text(Path(text).expanduser().read_text())
    except (OSError, ValueError):
        raise InputError(f"{variable} holds no key and names no file that can be read; {NEW}.") from None


def _text(given: str) -> str:
    """Some shells and secret stores hand a PEM over with `\\n` for every line's end."""
    return given.strip().replace("\\n", "\n")


def _raw(content: str, variable: str, expected: str) -> bytes:
    if (raw := _decoded(content)) is None:
        raise InputError(f"{variable} holds no key; expected {expected}; {NEW}.")
    return raw


def _decoded(text: str) -> bytes | None:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return raw if len(raw) == RAW else None
