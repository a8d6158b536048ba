"""Build a bento, start it locally, and check that it answers as the predictor does."""
