"""What the documentation claims in figures, re-runnable side by side with what it claims to beat."""
