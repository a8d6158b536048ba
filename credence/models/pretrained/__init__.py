"""Encoders that others trained: found on the disk or the hub, read as data, and turned into one vector per text."""
