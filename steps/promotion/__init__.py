"""Steps of the promotion and A/B test pipelines."""
