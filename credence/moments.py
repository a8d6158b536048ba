"""Moments as people write them on the command line."""

from datetime import UTC, datetime

from credence.errors import BadInput


def moment(text: str | None) -> datetime | None:
    """2024-01-31, or 2024-01-31T12:00, in UTC unless it says otherwise. Raises BadInput for anything else."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is no moment; expected one such as 2024-01-31 or 2024-01-31T12:00.") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
