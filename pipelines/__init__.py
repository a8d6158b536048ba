"""ZenML pipelines: the order of steps, and nothing else."""
