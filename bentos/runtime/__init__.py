"""State of one worker process: the loaded predictor, the request log, metrics."""
