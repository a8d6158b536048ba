"""Ed25519 keys from the environment: the private key that signs predictors, the public keys that are trusted."""

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
    """The private key to sign with and the public keys to trust, each as 32 raw bytes."""

    signing: SecretBytes | None = None
    trusted: tuple[bytes, ...] = ()

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read CREDENCE_SIGNING_KEY and CREDENCE_VERIFYING_KEYS; without the latter, only one's own key is trusted.

        Raises:
            InputError: A variable holds no usable key, or its name is misspelled; never shows the value.
        """
        for name in environment:
            if name.startswith(("CREDENCE_SIGN", "CREDENCE_VERIFY")) and name not in (SIGNING, VERIFYING):
                raise InputError(
                    f"{name} is set, but there is no such variable. {did_you_mean(name, (SIGNING, VERIFYING))}"
                )
        signing = _private(environment[SIGNING]) if SIGNING in environment else None
        if VERIFYING in environment:
            return cls(signing=signing, trusted=_publics(environment[VERIFYING]))
        return cls(signing=signing, trusted=(public_of(signing),) if signing else ())

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature of a message, 64 bytes.

        Raises:
            InputError: There is no private key.
        """
        if self.signing is None:
            raise InputError(f"{SIGNING} is not set; expected the private key that signs what is promoted.")
        return Ed25519PrivateKey.from_private_bytes(self.signing.get_secret_value()).sign(message)


def is_valid_signature(public: bytes, signature: bytes, message: bytes) -> bool:
    """Return whether the signature of the message was made with this public key's private key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def public_of(private: bytes | SecretBytes) -> bytes:
    """Return the public key of a private key, both 32 raw bytes."""
    raw = private.get_secret_value() if isinstance(private, SecretBytes) else private
    return Ed25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()


def identity(public: bytes) -> str:
    """Return a public key's fingerprint for messages: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def encode_key(public: bytes) -> str:
    """Return a public key in base64, as in CREDENCE_VERIFYING_KEYS."""
    return base64.b64encode(public).decode()


def generate_key_pair() -> tuple[bytes, bytes]:
    """Create a private key, as unencrypted PKCS#8 PEM, and its public key, as 32 raw bytes."""
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
            f"{SIGNING} holds a PEM that is not an unencrypted private key; remove its passphrase, or {NEW}."
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
    """Return the value itself, or the content of the file that it names."""
    text = _text(given)
    if "-----BEGIN" in text or _decoded(text) is not None:
        return text
    try:
        return _text(Path(text).expanduser().read_text())
    except (OSError, ValueError):
        raise InputError(f"{variable} holds no key and names no file that can be read; {NEW}.") from None


def _text(given: str) -> str:
    r"""Undo the escaping of line ends as `\n`, which some shells and secret stores apply to PEM."""
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
