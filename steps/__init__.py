"""One ZenML step per file: unwrap, call credence, record."""
