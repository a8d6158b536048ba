"""What one worker holds: the loaded predictor, request log, metrics."""
