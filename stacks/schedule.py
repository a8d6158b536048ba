"""Let an orchestrator that has a clock run a pipeline again and again."""

from datetime import UTC, datetime, timedelta

from zenml.client import Client
from zenml.config.schedule import Schedule

MINUTE, HOUR, DAY = 60, 3600, 86400


def schedules() -> bool:
    """Does the active stack's orchestrator run pipelines at given times?"""
    return bool(Client().active_stack.orchestrator.config.is_schedulable)


def schedule(every: float) -> Schedule:
    """A schedule for every so many seconds: as a cron expression where there is one, which all orchestrators take."""
    if (expression := cron(every)) is not None:
        return Schedule(cron_expression=expression)
    return Schedule(interval_second=timedelta(seconds=every), start_time=datetime.now(UTC))


def cron(every: float) -> str | None:
    """Seconds as a cron expression; None where the clock cannot say it, such as every 7 minutes."""
    if every == DAY:
        return "0 0 * * *"
    if every % HOUR == 0 and DAY % every == 0:
        return f"0 */{int(every // HOUR)} * * *"
    if every % MINUTE == 0 and HOUR % every == 0:
        return f"*/{int(every // MINUTE)} * * * *"
    return None
