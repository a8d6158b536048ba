"""One model kind per file; the file name is the kind in YAML."""
