"""Foundations without domain knowledge: errors, registry, hashing, files, locks, time, YAML."""
