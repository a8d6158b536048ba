"""So many statements per category and label, collected by place and attempt, as a generation does it."""

from credence.generation.arithmetic import CATEGORIES, Statement, content_id, propose_statement

MOST_ATTEMPTS = 20


def quota(count: int, seed: int = 0, categories: tuple[str, ...] = CATEGORIES) -> dict[str, Statement]:
    """The items by content_id. Fails where a place finds no new statement in twenty attempts."""
    found: dict[str, Statement] = {}
    for category in categories:
        for label in (True, False):
            for ordinal in range(count):
                _place(found, seed, category, label, ordinal)
    return found


def _place(found: dict[str, Statement], seed: int, category: str, label: bool, ordinal: int) -> None:
    for attempt in range(MOST_ATTEMPTS):
        item = propose_statement(seed, category, label, ordinal, attempt)
        if found.setdefault(content_id(category, item.question), item) is item:
            return
    raise AssertionError(f"{category} {label} {ordinal}: nothing new in {MOST_ATTEMPTS} attempts")
