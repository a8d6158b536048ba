"""Code shared by steps: tracking, registries, model versions, the promotion transaction."""
