"""Where pipelines run: one YAML per place."""
