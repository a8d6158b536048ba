"""Hash a predictor's files on save, sign them on promotion, verify them on load (Ed25519)."""

import json
from pathlib import Path
from typing import Self

from pydantic import Field

from credence.core.errors import InputError
from credence.core.registry import StrictModel
from credence.security.signing.keys import SIGNING, VERIFYING, Keys, identity, is_valid_signature, public_of
from credence.security.signing.manifest import MANIFEST, SIGNATURE, Manifest, changed_error, check_files, seal

__all__ = ["MANIFEST", "SIGNATURE", "Keys", "Manifest", "Signature", "check_integrity", "seal", "sign", "verify"]
DAMAGE_ONLY = "so only damage is noticed, not forgery"


class Signature(StrictModel):
    """The contents of `signature.json`: the signer's public key and the signature of the manifest, in hex."""

    key: str = Field(pattern="^[0-9a-f]{64}$", description="the public key")
    signature: str = Field(pattern="^[0-9a-f]{128}$")

    @classmethod
    def read(cls, folder: Path, manifest: Manifest) -> Self | None:
        """Read a folder's signature and verify it against the manifest; None if there is no signature.

        Raises:
            InputError: The file is malformed, or the signature does not match the manifest.
        """
        if not (folder / SIGNATURE).exists():
            return None
        content = (folder / SIGNATURE).read_bytes()
        try:
            found = cls(**json.loads(content))
        except (ValueError, TypeError, RecursionError):
            raise changed_error(folder, SIGNATURE) from None
        fits = is_valid_signature(bytes.fromhex(found.key), bytes.fromhex(found.signature), message(manifest))
        if not fits or found.text().encode() != content:
            raise InputError(f"{folder}: {SIGNATURE} does not fit {MANIFEST}; put both back as they were promoted.")
        return found

    def trusted_by(self, keys: Keys, folder: Path) -> str:
        """Return a sentence that names the signer.

        Raises:
            InputError: Trusted keys are set, and the signer's is not among them.
        """
        signer = identity(bytes.fromhex(self.key))
        if not keys.trusted:
            return f"signed by {signer}, but no {VERIFYING} is set, {DAMAGE_ONLY}"
        if bytes.fromhex(self.key) not in keys.trusted:
            known = ", ".join(map(identity, keys.trusted))
            raise InputError(f"{folder} is signed by {signer}, who is not trusted here; {VERIFYING} lists {known}.")
        return f"signed by {signer}"

    def text(self) -> str:
        """Return the JSON of `signature.json`; byte for byte the same for the same signature."""
        return self.model_dump_json(indent=1)


def message(manifest: Manifest) -> bytes:
    """Return the bytes to sign; the prefix makes signatures of other documents by the same key invalid here."""
    return b"credence predictor manifest 1\n" + manifest.text().encode()


def sign(folder: Path, keys: Keys | None = None) -> str:
    """Write the manifest anew, including files added since the predictor was saved, and sign it.

    Args:
        folder: A folder that `Predictor.save` wrote.
        keys: By default those of the environment. Without any key the folder stays unsigned.

    Returns:
        A sentence that says who signed the predictor, or that it is unsigned.

    Raises:
        InputError: A file of the old manifest was changed, or an untrusted key signed it before. Or `verify`
            would reject the result with these keys.
    """
    keys = keys or Keys.read()
    before = Signature.read(folder, check_files(folder, added=True))
    if before is not None:
        before.trusted_by(keys, folder)
    public = _signer(keys)
    manifest = seal(folder)
    if public is not None:
        made = Signature(key=public.hex(), signature=keys.sign(message(manifest)).hex())
        (folder / SIGNATURE).write_text(made.text())
    return verify(folder, keys)


def _signer(keys: Keys) -> bytes | None:
    """Return the public key of the signer, or None if no key is set."""
    if keys.signing is None:
        if keys.trusted:
            raise InputError(f"{VERIFYING} is set and {SIGNING} is not; an unsigned predictor would be refused.")
        return None
    public = public_of(keys.signing)
    if public not in keys.trusted:
        raise InputError(
            f"{SIGNING} holds the key {identity(public)}, which {VERIFYING} does not list; add the public key there."
        )
    return public


def check_integrity(folder: Path) -> Signature | None:
    """Check the files of a predictor folder against its manifest; any signer counts.

    Returns:
        The signature, or None if there is none.

    Raises:
        InputError: A file was changed, is missing or was added, or the signature is wrong.
    """
    return Signature.read(folder, check_files(folder))


def verify(folder: Path, keys: Keys | None = None) -> str:
    """Check the files and the signature of a predictor folder.

    Args:
        folder: A folder that `Predictor.save` wrote.
        keys: By default those of the environment.

    Returns:
        A sentence that says who signed the predictor, or that it is unsigned.

    Raises:
        InputError: A file was changed, is missing or was added; or trusted keys are set and the signature is
            missing or by another key.
    """
    keys = keys or Keys.read()
    signature = check_integrity(folder)
    if signature is not None:
        return signature.trusted_by(keys, folder)
    if keys.trusted:
        raise InputError(f"{folder} is unsigned: {SIGNATURE} is missing; promote it again where {SIGNING} is set.")
    return f"unsigned: no {VERIFYING} is set, {DAMAGE_ONLY}"
