"""Send alerts about what monitoring found, and publish the verdict to running services."""

from typing import Annotated

from zenml import step
from zenml.client import Client

from credence.core.atomic_write import atomic_write_text
from credence.core.paths import monitoring_folder
from credence.production.alerts import Alert, AlertSinks, send_alert
from credence.production.monitoring.summary import MonitoringSummary
from steps.shared import tracking

LATEST = "latest.json"


@step(enable_cache=False)  # sends messages
def raise_alerts(health: MonitoringSummary, alerts: AlertSinks) -> Annotated[list[str], "sent"]:
    """Publish the verdict and send an alert if there is trouble; returns one line per message sent."""
    publish(health)
    if not health.troubles:
        return []
    alert = alert_of(health)
    sent = send_alert(alert, alerts)
    if (alerter := Client().active_stack.alerter) is not None:
        posted = alerter.post(f"{alert.task}, {alert.kind}: {alert.sentence}")
        sent.append(f"the stack's alerter: {'sent' if posted else 'not sent'}")
    for line in sent:
        tracking.log_line(line)
    return sent


def alert_of(health: MonitoringSummary) -> Alert:
    """Combine all troubles of a window into one alert."""
    lost = health.performance.lost
    return Alert(
        task=health.task,
        kind="loss" if lost else health.verdict,
        severity="critical" if lost or health.verdict == "drift" else "warning",
        sentence=" ".join(health.troubles),
        columns=tuple(health.drift.drifted()),
        figures={"version": health.version, "rows": health.drift.rows},
    )


def publish(health: MonitoringSummary) -> None:
    """Write the verdict to the file that running services read for their metrics."""
    folder = monitoring_folder(health.task)
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write_text(folder / LATEST, health.model_dump_json(indent=1))
