"""ZenML stacks: where pipelines run, one YAML file each, and the code that activates them."""
