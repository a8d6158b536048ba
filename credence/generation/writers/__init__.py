"""Turn prompts into rows: batching, calls, reply parsing, statements and examples."""
