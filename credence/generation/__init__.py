"""Generate labelled rows with language models: balanced, independently checked, cached, within a budget."""
