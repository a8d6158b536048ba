"""Everything after training: batch scoring, monitoring, A/B tests, alerts, audit."""
