"""The audit table, kept by ZenML with the versions it speaks of: every promotion is an entry of its own."""

import getpass
import socket
from datetime import UTC, datetime

from zenml import ModelVersionResponse, log_metadata
from zenml.client import Client
from zenml.utils.pagination_utils import depaginate

from credence.production.audit import Promotion, PromotionReason

PREFIX = "promotion "


def record_promotion(
    version: ModelVersionResponse, replaces: int | None, how: PromotionReason, reason: str
) -> Promotion:
    """The line for a promotion that happens now."""
    who = f"{Client().active_user.name} ({getpass.getuser()}@{socket.gethostname()})"
    when = datetime.now(UTC).isoformat(timespec="microseconds")
    return Promotion(version=version.number, replaces=replaces, when=when, who=who, how=how, reason=reason)


def append_promotion(version: ModelVersionResponse, line: Promotion) -> None:
    """Write a line. Its time is part of its name (ZenML takes no colons), so that none takes another's place."""
    log_metadata(
        {PREFIX + line.when.replace(":", "."): line.model_dump(exclude_none=True)}, model_version_id=version.id
    )


def promotion_lines(version: ModelVersionResponse) -> list[Promotion]:
    """The lines of one version, oldest first."""
    found = {k: v for k, v in version.run_metadata.items() if k.startswith(PREFIX)}
    return [Promotion(**{"replaces": None, **dict(found[k])}) for k in sorted(found)]  # type: ignore[arg-type]


def promotion_history(name: str) -> list[Promotion]:
    """Every promotion of a model, oldest first."""
    versions = depaginate(Client().list_model_versions, model=name, hydrate=True)
    return sorted((line for v in versions for line in promotion_lines(v)), key=lambda line: line.when)
