"""Parse cells of text as numbers and dates."""
