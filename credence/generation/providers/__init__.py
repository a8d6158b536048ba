"""Language model providers: one kind per file, each makes one attempt and says how it ended."""
