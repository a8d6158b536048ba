"""`python -m cli` is `python run.py`."""

from cli.main import run_and_exit

run_and_exit()
