"""The prediction log: one record per prediction, and feedback labels that arrive later."""
