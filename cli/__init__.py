"""The command line: arguments, one module per group of pipelines, periodic runs, the printed summary."""
