"""Tell those who asked to be told, and the running services, what monitoring found."""

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
    """What became of every message."""
    publish(health)
    if not health.troubles:
        return []
    alert = alert_of(health)
    told = send_alert(alert, alerts)
    if (alerter := Client().active_stack.alerter) is not None:
        posted = alerter.post(f"{alert.task}, {alert.kind}: {alert.sentence}")
        told.append(f"the stack's alerter: {'sent' if posted else 'not sent'}")
    for line in told:
        tracking.log_line(line)
    return told


def alert_of(health: MonitoringSummary) -> Alert:
    """One message for all troubles of a window."""
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
    """Leave the verdict where running services find it for their metrics."""
    folder = monitoring_folder(health.task)
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write_text(folder / LATEST, health.model_dump_json(indent=1))
