"""Which step follows which; nothing else."""
