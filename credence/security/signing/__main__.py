"""Create keys, sign and verify predictors from the shell.

    python -m credence.security.signing new [FILE]      write a private key to FILE, the public key to FILE.pub
    python -m credence.security.signing sign FOLDER     sign a saved predictor
    python -m credence.security.signing verify FOLDER   check a predictor and print who signed it

Private keys are never printed. Unusable input gives one sentence and exit code 2.
"""

import os
import shlex
import sys
from pathlib import Path

from credence.core.errors import InputError
from credence.core.paths import state_dir
from credence.security.signing import sign, verify
from credence.security.signing.keys import SIGNING, VERIFYING, encode_key, generate_key_pair, identity

EXPECTED = "expected new [FILE], sign FOLDER, or verify FOLDER."


def new(file: Path) -> str:
    """Write a key pair to `file` and `file`.pub, both with mode 0600.

    Returns:
        Shell lines that set CREDENCE_SIGNING_KEY and CREDENCE_VERIFYING_KEYS.

    Raises:
        InputError: A file exists already, or cannot be written.
    """
    private, public = generate_key_pair()
    pub = file.with_name(f"{file.name}.pub")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, content in ((file, private), (pub, encode_key(public).encode() + b"\n")):
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
                target.write(content)
    except FileExistsError as error:
        raise InputError(f"{error.filename} exists already; give the new key another file.") from None
    except OSError as error:
        raise InputError(f"{error.filename} cannot be written: {error.strerror}; give another file.") from None
    return (
        f"# {identity(public)}: the first line where predictors are promoted, the second wherever they are loaded\n"
        f"export {SIGNING}={shlex.quote(str(file.resolve()))}\nexport {VERIFYING}={encode_key(public)}"
    )


def main(argv: list[str]) -> int:
    """Run one of the three commands; return the exit code, 0 or 2."""
    try:
        match argv:
            case ["new"]:
                print(new(state_dir() / "signing.pem"))
            case ["new", file]:
                print(new(Path(file)))
            case ["sign", folder]:
                print(sign(Path(folder)))
            case ["verify", folder]:
                print(verify(Path(folder)))
            case _:
                raise InputError(EXPECTED)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
