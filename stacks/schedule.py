"""Schedules for orchestrators that can run pipelines periodically."""

from datetime import UTC, datetime, timedelta

from zenml.client import Client
from zenml.config.schedule import Schedule

MINUTE, HOUR, DAY = 60, 3600, 86400


def schedules() -> bool:
    """Return whether the active stack's orchestrator supports schedules."""
    return bool(Client().active_stack.orchestrator.config.is_schedulable)


def schedule(every: float) -> Schedule:
    """Create a schedule with an interval in seconds, as a cron expression if possible: all orchestrators accept it."""
    if (expression := cron(every)) is not None:
        return Schedule(cron_expression=expression)
    return Schedule(interval_second=timedelta(seconds=every), start_time=datetime.now(UTC))


def cron(every: float) -> str | None:
    """Convert an interval in seconds to a cron expression; None if there is none, as for 7 minutes."""
    if every == DAY:
        return "0 0 * * *"
    if every % HOUR == 0 and DAY % every == 0:
        return f"0 */{int(every // HOUR)} * * *"
    if every % MINUTE == 0 and HOUR % every == 0:
        return f"*/{int(every // MINUTE)} * * * *"
    return None
