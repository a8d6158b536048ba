"""Keys are read, or refused in a sentence that shows none of them; what is signed is known again, nothing else is."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes

from credence.core.errors import InputError
from credence.predictor import Predictor
from credence.security.signing import MANIFEST, SIGNATURE, Keys, Manifest, seal, sign, verify
from credence.security.signing.keys import SIGNING, VERIFYING, encode_key, generate_key_pair, identity, public_of
from tests.credence.test_predictor import fitted

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
NOBODY, STRANGE = Keys(), ec.generate_private_key(ec.SECP256R1())
SEED, OTHER = bytes(range(32)), bytes(range(1, 33))
PRIVATE = ed25519.Ed25519PrivateKey.from_private_bytes(SEED)
PLAIN_PEM = PRIVATE.private_bytes(PEM, PKCS8, serialization.NoEncryption()).decode()
LOCKED_PEM = PRIVATE.private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"secret")).decode()
PUBLIC_PEM = PRIVATE.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
STRANGE_PEM = STRANGE.private_bytes(PEM, PKCS8, serialization.NoEncryption()).decode()
STRANGE_PUBLIC = STRANGE.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
MINE, YOURS = public_of(SEED), public_of(OTHER)


def owner(seed: bytes = SEED, *trusted: bytes) -> Keys:
    return Keys(signing=SecretBytes(seed), trusted=trusted or (public_of(seed),))


def trusting(*publics: bytes) -> Keys:
    return Keys(trusted=publics)


SAVED = fitted()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "predictor").mkdir()
    SAVED.save(tmp_path / "predictor")
    return tmp_path / "predictor"


@pytest.mark.parametrize(
    "given",
    [PLAIN_PEM, PLAIN_PEM.replace("\n", "\\n"), f"  {base64.b64encode(SEED).decode()}\n"],
    ids=["pem", "n", "64"],
)
def test_a_private_key_is_read_from_the_environment_or_a_file(given: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(given)
    for value in (given, str(tmp_path / "key")):
        keys = Keys.read({SIGNING: value})
        assert keys == owner()
        assert keys.trusted == (MINE,), "without a list of trusted keys, one's own is trusted"


def test_public_keys_are_read_in_any_form_and_number(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text(PUBLIC_PEM)
    value = f"{encode_key(YOURS)}, {tmp_path / 'key.pub'},"
    assert Keys.read({VERIFYING: value}).trusted == (YOURS, MINE)
    assert Keys.read({VERIFYING: PUBLIC_PEM}).trusted == (MINE,)
    assert Keys.read({VERIFYING: encode_key(YOURS), SIGNING: PLAIN_PEM}).trusted == (YOURS,)
    assert Keys.read({"PATH": "/bin"}) == NOBODY


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        (SIGNING, "", r"CREDENCE_SIGNING_KEY holds no key and names no file that can be read; make a pair with"),
        (SIGNING, "correct horse battery staple", r"CREDENCE_SIGNING_KEY holds no key and names no file"),
        (SIGNING, "/nowhere/key.pem", r"CREDENCE_SIGNING_KEY holds no key and names no file"),
        (SIGNING, "x" * 5000, r"CREDENCE_SIGNING_KEY holds no key and names no file"),
        (SIGNING, LOCKED_PEM, r"not an unencrypted private key; remove its passphrase"),
        (SIGNING, PUBLIC_PEM, r"not an unencrypted private key"),
        (SIGNING, STRANGE_PEM, r"a private key of another kind; expected Ed25519"),
        (VERIFYING, "", r"CREDENCE_VERIFYING_KEYS is empty; give public keys, or unset it"),
        (VERIFYING, " , ", r"CREDENCE_VERIFYING_KEYS is empty"),
        (VERIFYING, f"{encode_key(MINE)},oops", r"CREDENCE_VERIFYING_KEYS holds no key and names no file"),
        (VERIFYING, PLAIN_PEM, r"CREDENCE_VERIFYING_KEYS holds a PEM that is no public key"),
        (VERIFYING, STRANGE_PUBLIC, r"a public key of another kind; expected Ed25519"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused_and_not_shown(variable: str, value: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        Keys.read({variable: value})
    shown = str(refused.value)
    assert shown.startswith(variable)
    assert not [line for line in value.split(",") if len(line.strip()) > 3 and line.strip() in shown]


def test_a_file_that_holds_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("not a key")
    with pytest.raises(InputError, match=r"^CREDENCE_SIGNING_KEY holds no key; expected the PEM or base64"):
        Keys.read({SIGNING: str(tmp_path / "key")})
    (tmp_path / "key").write_bytes(b"\xff" * 40)
    with pytest.raises(InputError, match="names no file that can be read"):
        Keys.read({SIGNING: str(tmp_path / "key")})


@pytest.mark.parametrize("name", ["CREDENCE_VERIFYING_KEY", "CREDENCE_SIGNING_KEYS", "CREDENCE_VERIFY_KEYS"])
def test_a_misspelt_variable_is_refused_because_it_would_switch_the_check_off(name: str) -> None:
    with pytest.raises(InputError, match=rf"^{name} is set, but there is no such variable\. Did you mean 'CREDENCE_"):
        Keys.read({name: encode_key(MINE)})


@given(seed=st.binary(min_size=32, max_size=32))
def test_a_private_key_is_in_no_representation(seed: bytes) -> None:
    keys = Keys.read({SIGNING: base64.b64encode(seed).decode()})
    for shown in (repr(keys), str(keys), keys.model_dump_json(include={"signing"}), f"{keys.model_dump()}"):
        assert not [s for s in (seed.hex(), repr(seed)[2:-1], base64.b64encode(seed).decode()) if s in shown]


def test_what_one_signed_the_others_know_again(folder: Path) -> None:
    assert verify(folder, NOBODY).startswith("unsigned: no CREDENCE_VERIFYING_KEYS is set, so only damage is noticed")
    assert sign(folder, owner()) == f"signed by {identity(MINE)}"
    assert verify(folder, trusting(MINE)) == f"signed by {identity(MINE)}"
    assert verify(folder, NOBODY).startswith(f"signed by {identity(MINE)}, but no CREDENCE_VERIFYING_KEYS is set")
    assert Predictor.load(folder).digest() == SAVED.digest()


def test_the_keys_of_the_environment_count_where_none_are_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SIGNING, PLAIN_PEM)
    monkeypatch.setenv(VERIFYING, encode_key(MINE))
    assert sign(folder) == verify(folder) == f"signed by {identity(MINE)}"
    monkeypatch.setenv(VERIFYING, encode_key(YOURS))
    with pytest.raises(InputError, match="not trusted here"):
        verify(folder)


def test_a_stranger_s_signature_is_refused(folder: Path) -> None:
    sign(folder, owner(OTHER))
    with pytest.raises(
        InputError, match=rf"signed by {identity(YOURS)}, who is not trusted here; .* {identity(MINE)}\.$"
    ):
        verify(folder, trusting(MINE))
    with pytest.raises(InputError, match="not trusted here"):
        sign(folder, owner())


def test_where_keys_are_set_an_unsigned_folder_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"is unsigned: signature\.json is missing; promote it again where"):
        verify(folder, trusting(MINE))


def test_keys_are_rotated_without_a_gap(folder: Path) -> None:
    """Trust both, sign with the new one, then forget the old one."""
    sign(folder, owner())
    both = owner(OTHER, MINE, YOURS)
    assert verify(folder, both) == f"signed by {identity(MINE)}"
    assert sign(folder, both) == verify(folder, trusting(YOURS)) == f"signed by {identity(YOURS)}"


def test_nobody_signs_whom_the_list_of_the_trusted_lacks(folder: Path) -> None:
    with pytest.raises(
        InputError, match=f"CREDENCE_SIGNING_KEY holds the key {identity(YOURS)}, which CREDENCE_VERIFYING_KEYS does"
    ):
        sign(folder, owner(OTHER, MINE))


def test_whoever_only_checks_cannot_promote_what_he_would_refuse(folder: Path) -> None:
    with pytest.raises(InputError, match="CREDENCE_VERIFYING_KEYS is set and CREDENCE_SIGNING_KEY is not"):
        sign(folder, trusting(MINE))
    assert sign(folder, NOBODY) == verify(folder, NOBODY)


def test_signing_that_fails_takes_no_signature_away(folder: Path) -> None:
    sign(folder, owner())
    (folder / "card.md").write_text("# New words")
    with pytest.raises(InputError, match="CREDENCE_SIGNING_KEY is not"):
        sign(folder, trusting(MINE))
    (folder / "card.md").unlink()
    assert sign(folder, NOBODY) == verify(folder, NOBODY)
    assert verify(folder, trusting(MINE)) == f"signed by {identity(MINE)}"


def test_a_card_that_is_there_when_signed_is_signed_too(folder: Path) -> None:
    (folder / "card.md").write_text("# Recall 0.97")
    with pytest.raises(InputError, match=r"card\.md does not belong to this predictor"):
        verify(folder, NOBODY)
    sign(folder, owner())
    assert verify(folder, trusting(MINE)) == f"signed by {identity(MINE)}"
    (folder / "card.md").write_text("# Recall 0.99")
    with pytest.raises(InputError, match=r"card\.md was changed"):
        verify(folder, trusting(MINE))


def test_nothing_changed_is_ever_signed(folder: Path) -> None:
    (folder / "seen.npy").write_bytes((folder / "seen.npy").read_bytes() + b"\0")
    with pytest.raises(InputError, match=r"seen\.npy was changed"):
        sign(folder, owner())
    assert not (folder / SIGNATURE).exists()


def test_a_new_seal_takes_the_signature_of_the_old_one_away(folder: Path) -> None:
    sign(folder, owner())
    first = seal(folder)
    assert (folder / SIGNATURE).exists()
    (folder / "card.md").write_text("# New words")
    assert seal(folder) != first
    assert not (folder / SIGNATURE).exists()


def test_a_signature_of_one_predictor_fits_no_other(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    SAVED.with_version("toy:7").save(other)
    sign(folder, owner())
    (other / SIGNATURE).write_bytes((folder / SIGNATURE).read_bytes())
    with pytest.raises(InputError, match=r"signature\.json does not fit manifest\.json"):
        verify(other, NOBODY)


def test_a_signature_for_another_purpose_does_not_count(folder: Path) -> None:
    """The same key may sign other things; its signature over the bare manifest was not given for this."""
    bare = PRIVATE.sign((folder / MANIFEST).read_bytes())
    (folder / SIGNATURE).write_text(json.dumps({"key": MINE.hex(), "signature": bare.hex()}, indent=1))
    with pytest.raises(InputError, match="does not fit"):
        verify(folder, trusting(MINE))


def test_the_seal_names_the_predictor_and_is_the_same_for_the_same_files(folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    Predictor.load(folder).save(again)
    assert (again / MANIFEST).read_bytes() == (folder / MANIFEST).read_bytes()
    sealed = Manifest.read(folder)
    assert (sealed.task, sealed.version) == ("toy", "toy:challenger")
    assert set(sealed.files) == {
        f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file() and f.name != MANIFEST
    }


def test_the_documentation_quotes_what_is_said(folder: Path) -> None:
    docs = Path(__file__).parents[4] / "docs"
    assert f"`{verify(folder, NOBODY)}`" in (docs / "explanation" / "trust.md").read_text()
    page = (docs / "how-to" / "sign-predictors.md").read_text()
    assert SIGNING in page and VERIFYING in page


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    surroundings = {**os.environ, **variables}
    call = [sys.executable, "-m", "credence.security.signing", *arguments]
    return subprocess.run(call, env=surroundings, capture_output=True, text=True, check=False)


def test_the_command_makes_keys_that_sign_and_verify(folder: Path, tmp_path: Path) -> None:
    made = command("new", str(tmp_path / "keys" / "team.pem"))
    lines = dict(line.removeprefix("export ").split("=", 1) for line in made.stdout.splitlines() if "export" in line)
    assert set(lines) == {SIGNING, VERIFYING}
    assert Keys.read(lines).trusted == (public_of(Keys.read(lines).signing or b""),)
    secret = (tmp_path / "keys" / "team.pem").read_text()
    assert secret.splitlines()[1] not in made.stdout + made.stderr
    assert (tmp_path / "keys" / "team.pem").stat().st_mode & 0o777 == 0o600
    signed, verified = (
        command("sign", str(folder), **lines),
        command("verify", str(folder), **{VERIFYING: lines[VERIFYING]}),
    )
    assert signed.stdout == f"signed by {identity(Keys.read(lines).trusted[0])}\n"
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [[], ["new", "a", "b"], ["sing", "x"]])
def test_the_command_says_what_it_expects(arguments: list[str]) -> None:
    done = command(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: expected new [FILE], sign FOLDER, or verify FOLDER.\n"


def test_the_command_overwrites_no_key_and_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "old.pem").write_text("mine")
    again = command("new", str(tmp_path / "old.pem"))
    assert (again.returncode, (tmp_path / "old.pem").read_text()) == (2, "mine")
    assert "exists already; give the new key another file." in again.stderr
    below = command("new", str(tmp_path / "old.pem" / "below.pem"))
    assert below.returncode == 2 and below.stderr.endswith("give the new key another file.\n")
    empty = command("verify", str(tmp_path))
    assert empty.returncode == 2 and "holds no predictor.json" in empty.stderr


def test_a_new_pair_belongs_together() -> None:
    private, public = generate_key_pair()
    assert Keys.read({SIGNING: private.decode()}).trusted == (public,)
