"""What learns: one file per kind in `kinds`, and the machinery that kinds share."""
