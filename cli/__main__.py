"""Run `python -m cli` as `python run.py`."""

from cli.main import run_and_exit

run_and_exit()
