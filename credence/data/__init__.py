"""Rows and what is known of them: sources, parsing, schema, split, checks, drafts, novelty, the prediction log."""
