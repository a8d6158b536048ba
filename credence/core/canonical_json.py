"""Canonical JSON: equal values have equal bytes, and so equal digests, on every machine."""

import hashlib
import json
import unicodedata
from typing import Any

from credence.core.errors import InputError

MAX_SHOWN_CHARACTERS = 60


def canonical_json(value: Any) -> bytes:
    """Encode a value as UTF-8 JSON with sorted keys, no spaces and texts in Unicode form NFC.

    Args:
        value: None, bool, int, str, list, tuple or dict with text keys, nested at will; no float.

    Raises:
        InputError: The value contains another type, a lone surrogate or a repeated key, or is nested too deeply.
    """
    try:
        plain = _plain(value, "")
        return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    except RecursionError:
        raise InputError("the value has no canonical form: it is nested too deeply; make it flatter.") from None


def json_digest(value: Any) -> str:
    """Return the 128-bit BLAKE2b hash of the canonical JSON, as 32 hexadecimal digits.

    Raises:
        InputError: The value has no canonical form; see `canonical_json`.
    """
    return hashlib.blake2b(canonical_json(value), digest_size=16).hexdigest()


def _plain(value: Any, where: str) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, (list, tuple)):
        return [_plain(v, f"{where}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, dict):
        return _object(value, where)
    raise _not_json(where, value, "a text, a whole number, true, false, null, a list or an object; write it as a text")


def _object(value: dict[Any, Any], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, content in value.items():
        if not isinstance(key, str):
            raise _not_json(where, key, "texts as keys; write the key as a text")
        name = _text(key, where)
        if name in found:
            raise _not_json(where, name, "every key once; remove one of the two forms of this key")
        found[name] = _plain(content, f"{where}.{name}" if where else name)
    return found


def _text(value: str, where: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _not_json(where, value, "text that UTF-8 can encode; remove the lone surrogate") from None
    return unicodedata.normalize("NFC", value)


def _not_json(where: str, value: Any, expected: str) -> InputError:
    return InputError(
        f"{where or 'the value'}: {ascii(value)[:MAX_SHOWN_CHARACTERS]} has no canonical form; expected {expected}."
    )
