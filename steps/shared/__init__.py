"""What several steps share: tracking, registries, model versions, the promotion transaction."""
