"""Package, try and swap predictors from the shell, in a process that never meets ZenML:

    python -m bentos build FOLDER                   store the predictor of a folder and build its bento
    python -m bentos try BENTO FOLDER ROWS.parquet  serve it, and compare its answers with the folder's own
    python -m bentos prepare FOLDER                 let every running worker of its task load and prove it; - waits for
                                                    the folder on standard input, with everything imported
    python -m bentos commit TASK GENERATION         let them answer with what they prepared
    python -m bentos abort TASK GENERATION          or drop it
    python -m bentos challenge FOLDER [--mode shadow|split] [--share 0.1]
                                                    try it on a copy, or on a share, of the traffic
    python -m bentos unchallenge TASK               end the trial

Prints one line of JSON. Exit code 2 and one sentence where the input cannot be used.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from credence.core.errors import InputError, did_you_mean
from credence.core.paths import state_dir

# Every command imports what it needs itself: a commit takes a tenth of a second, and the model's libraries seconds.
Found = dict[str, Any]


def built(folder: str) -> Found:
    """Store and build; the same predictor twice is one bento."""
    from bentos.packaging.build import build_bento, store_by_version

    return {"bento": build_bento(store_by_version(Path(folder)))}


def tried(bento: str, folder: str, rows: str) -> Found:
    """Serve, ask, compare, and give one question with its answer to show."""
    import pandas as pd

    from bentos.packaging.local_server import serve_locally
    from bentos.packaging.parity_check import check_parity, rows_as_requests
    from credence.predictor import Predictor

    predictor, test = Predictor.load(Path(folder)), pd.read_parquet(rows)
    key = os.environ.get("CREDENCE_API_KEYS", "").split(",")[0] or None
    with serve_locally(bento, {"CREDENCE_LOG": "off", "CREDENCE_FOLLOW": "off"}) as url:
        comparison = check_parity(url, test, predictor, key)
    return {
        **comparison.model_dump(),
        "agrees": comparison.agrees(),
        "request": rows_as_requests(test.head(1), predictor)[0],
        "answer": json.loads(predictor.predict(test.head(1)).iloc[0].to_json(double_precision=4)),
    }


def prepare(folder: str) -> Found:
    """Store the predictor, and wait until every worker has proven it or one refuses."""
    from bentos.rollout import hot_swap
    from bentos.rollout.load_check import describe_predictor

    return hot_swap.prepare_version(*describe_predictor(Path(awaited() if folder == "-" else folder)))


def awaited() -> str:
    """The folder that standard input names, once what most models need is imported."""
    import sklearn.linear_model  # noqa: F401

    if not (folder := sys.stdin.readline().rstrip("\n")):
        raise InputError("prepare - waits for a folder on standard input, which ended; nothing was prepared.")
    return folder


def commit(task: str, generation: int) -> Found:
    """Swap in every worker what it has prepared."""
    from bentos.rollout import hot_swap

    return hot_swap.commit_version(known(task), generation)


def abort(task: str, generation: int) -> Found:
    """Let every worker drop what it has prepared."""
    from bentos.rollout import hot_swap

    return hot_swap.abort_version(known(task), generation)


def challenge(folder: str, mode: str, share: float) -> Found:
    """Store the predictor, and wait until every worker tries it or one refuses."""
    from bentos.rollout import hot_swap
    from bentos.rollout.desired_state import DesiredChallenger
    from bentos.rollout.load_check import describe_predictor

    if not 0 < share < 1:
        raise InputError(f"--share is {share:g}; expected more than 0 and less than 1, such as 0.1.")
    task, found = describe_predictor(Path(folder))
    return hot_swap.start_challenger(task, DesiredChallenger(**found.model_dump(), mode=mode, share=share))


def unchallenge(task: str) -> Found:
    """End the trial in every worker."""
    from bentos.rollout import hot_swap

    return hot_swap.stop_challenger(known(task))


def known(task: str) -> str:
    """A task that some server has answered. BadInput with the nearest where it is misspelt."""
    tasks = [folder.parent.name for folder in state_dir().glob("*/serving")]
    if task not in tasks:
        hint = did_you_mean(task, tasks) if tasks else "No server has run yet."
        raise InputError(f"no server below {state_dir()} has ever answered {task!r}. {hint}")
    return task


class Parser(argparse.ArgumentParser):
    """Says in one sentence what it expected."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; {' '.join(self.format_usage().split())}")


def parser() -> Parser:
    """The commands and what they take."""
    made = Parser(prog="python -m bentos")
    commands = made.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    wanted: dict[str, tuple[Callable[..., Found], list[str]]] = {
        "build": (built, ["folder"]),
        "try": (tried, ["bento", "folder", "rows"]),
        "prepare": (prepare, ["folder"]),
        "commit": (commit, ["task", "generation"]),
        "abort": (abort, ["task", "generation"]),
        "challenge": (challenge, ["folder"]),
        "unchallenge": (unchallenge, ["task"]),
    }
    for name, (run, words) in wanted.items():
        command = commands.add_parser(name, help=run.__doc__)
        command.set_defaults(run=run)
        for word in words:
            command.add_argument(word, type=int if word == "generation" else str)
    commands.choices["challenge"].add_argument("--mode", choices=["shadow", "split"], default="shadow")
    commands.choices["challenge"].add_argument("--share", type=float, default=0.1)
    return made


def main(argv: list[str]) -> int:
    """Run one of the commands."""
    try:
        given = vars(parser().parse_args(argv))
        found = given.pop("run")(**given)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
