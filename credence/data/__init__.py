"""Rows and their sources, parsing, schema, split, checks, task drafts, novelty and the prediction log."""
