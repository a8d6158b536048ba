"""ZenML materializers, each with a content hash, so that equal content is a cache hit."""
