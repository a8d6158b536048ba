"""Who vouches for a predictor folder: its files are sealed when saved, signed when promoted, verified when loaded."""

import json
from pathlib import Path
from typing import Self

from pydantic import Field

from credence.core.errors import InputError
from credence.core.registry import StrictModel
from credence.security.signing.keys import SIGNING, VERIFYING, Keys, identity, is_valid_signature, public_of
from credence.security.signing.manifest import MANIFEST, SIGNATURE, Manifest, changed, changed_files, seal

__all__ = ["MANIFEST", "SIGNATURE", "Keys", "Manifest", "Signature", "check_integrity", "seal", "sign", "verify"]
DAMAGE_ONLY = "so only damage is noticed, not forgery"


class Signature(StrictModel):
    """The contents of `signature.json`: who signed the manifest beside it."""

    key: str = Field(pattern="^[0-9a-f]{64}$", description="the public key")
    signature: str = Field(pattern="^[0-9a-f]{128}$")

    @classmethod
    def read(cls, folder: Path, manifest: Manifest) -> Self | None:
        """The signature that fits a folder's manifest, or None where there is none. BadInput names what is wrong."""
        if not (folder / SIGNATURE).exists():
            return None
        there = (folder / SIGNATURE).read_bytes()
        try:
            found = cls(**json.loads(there))
        except (ValueError, TypeError, RecursionError):
            raise changed(folder, SIGNATURE) from None
        fits = is_valid_signature(bytes.fromhex(found.key), bytes.fromhex(found.signature), message(manifest))
        if not fits or found.text().encode() != there:
            raise InputError(f"{folder}: {SIGNATURE} does not fit {MANIFEST}; put both back as they were promoted.")
        return found

    def trusted_by(self, keys: Keys, folder: Path) -> str:
        """Who signed, in words. BadInput where keys are set and the signer's is not among them."""
        signer = identity(bytes.fromhex(self.key))
        if not keys.trusted:
            return f"signed by {signer}, but no {VERIFYING} is set, {DAMAGE_ONLY}"
        if bytes.fromhex(self.key) not in keys.trusted:
            known = ", ".join(map(identity, keys.trusted))
            raise InputError(f"{folder} is signed by {signer}, who is not trusted here; {VERIFYING} lists {known}.")
        return f"signed by {signer}"

    def text(self) -> str:
        """The same for the same signature, byte for byte."""
        return self.model_dump_json(indent=1)


def message(manifest: Manifest) -> bytes:
    """What is signed. A signature that the same key gave for anything else does not fit here."""
    return b"credence predictor manifest 1\n" + manifest.text().encode()


def sign(folder: Path, keys: Keys | None = None) -> str:
    """Seal a saved predictor with all that was put beside it since, and sign it; who vouches for it now, in words.

    Nothing that was sealed before may have been changed, nor may a stranger have signed it. Without any key the folder
    stays unsigned, and the words say so. BadInput where keys are set with which the result would be refused.
    """
    keys = keys or Keys.read()
    before = Signature.read(folder, changed_files(folder, added=True))
    if before is not None:
        before.trusted_by(keys, folder)
    public = _signer(keys)
    manifest = seal(folder)
    if public is not None:
        made = Signature(key=public.hex(), signature=keys.sign(message(manifest)).hex())
        (folder / SIGNATURE).write_text(made.text())
    return verify(folder, keys)


def _signer(keys: Keys) -> bytes | None:
    """The public key of who signs, or None where nobody does and nobody asks for it."""
    if keys.signing is None:
        if keys.trusted:
            raise InputError(f"{VERIFYING} is set and {SIGNING} is not; what is signed by nobody would be refused.")
        return None
    public = public_of(keys.signing)
    if public not in keys.trusted:
        raise InputError(
            f"{SIGNING} is {identity(public)}'s, whom {VERIFYING} does not list; add the public key there."
        )
    return public


def check_integrity(folder: Path) -> Signature | None:
    """See that a predictor folder is whole, whoever made it; its signature where it has one.

    BadInput names the file that was changed, is missing or is too many.
    """
    return Signature.read(folder, changed_files(folder))


def verify(folder: Path, keys: Keys | None = None) -> str:
    """Who vouches for this predictor, in words; keys come from the environment unless given.

    BadInput names the file that was changed, is missing or is too many, or says that the signature that the keys ask
    for is missing or a stranger's.
    """
    keys = keys or Keys.read()
    signature = check_integrity(folder)
    if signature is not None:
        return signature.trusted_by(keys, folder)
    if keys.trusted:
        raise InputError(f"{folder} is unsigned: {SIGNATURE} is missing; promote it again where {SIGNING} is set.")
    return f"unsigned: no {VERIFYING} is set, {DAMAGE_ONLY}"
