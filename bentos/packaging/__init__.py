"""Build a bento, serve it locally, and check that it answers as its predictor does."""
