"""Run a pipeline: python run.py --pipeline training --task breast_cancer (see --help)."""

from cli.main import main, run_and_exit

__all__ = ["main"]

if __name__ == "__main__":
    run_and_exit()
