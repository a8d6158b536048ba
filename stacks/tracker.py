"""Print the MLflow tracking URI of the active stack: python -m stacks.tracker."""

import sys

from zenml.client import Client


def main() -> int:
    """Print the tracking URI. Exit code 2 if the stack has no MLflow tracker."""
    tracker = Client().active_stack.experiment_tracker
    if tracker is None or not hasattr(tracker, "get_tracking_uri"):
        print("error: the active stack has no MLflow tracker; run training on a stack that has one.", file=sys.stderr)
        return 2
    print(tracker.get_tracking_uri())
    return 0


if __name__ == "__main__":
    sys.exit(main())
