"""The audit table of promotions, stored as metadata of ZenML's model versions, one entry per promotion."""

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
    """Create the audit entry of a promotion at this moment, with the current user and host.

    Args:
        version: The promoted version.
        replaces: The number of the version it replaces, if any.
        how: The kind of promotion.
        reason: Why.
    """
    who = f"{Client().active_user.name} ({getpass.getuser()}@{socket.gethostname()})"
    when = datetime.now(UTC).isoformat(timespec="microseconds")
    return Promotion(version=version.number, replaces=replaces, when=when, who=who, how=how, reason=reason)


def append_promotion(version: ModelVersionResponse, line: Promotion) -> None:
    """Store an audit entry. Its name contains its time (without colons, which ZenML rejects), so it is unique."""
    log_metadata(
        {PREFIX + line.when.replace(":", "."): line.model_dump(exclude_none=True)}, model_version_id=version.id
    )


def promotion_lines(version: ModelVersionResponse) -> list[Promotion]:
    """List the audit entries of one version, oldest first."""
    found = {k: v for k, v in version.run_metadata.items() if k.startswith(PREFIX)}
    return [Promotion(**{"replaces": None, **dict(found[k])}) for k in sorted(found)]  # type: ignore[arg-type]


def promotion_history(name: str) -> list[Promotion]:
    """List all promotions of a model, oldest first."""
    versions = depaginate(Client().list_model_versions, model=name, hydrate=True)
    return sorted((line for v in versions for line in promotion_lines(v)), key=lambda line: line.when)
