"""Every answer leaves a record, and the truth may follow it: the log of predictions."""
