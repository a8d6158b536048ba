"""Language model providers, one kind per file; each makes one call and returns its outcome."""
