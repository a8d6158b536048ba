"""Package, check and roll out predictors from the shell, in a process without ZenML.

    python -m bentos build FOLDER                   store the predictor of a folder and build its bento
    python -m bentos try BENTO FOLDER ROWS.parquet  serve the bento and compare its answers with the predictor's
    python -m bentos prepare FOLDER                 load and check it in every running worker of its task;
                                                    with - as FOLDER, import first, then read the folder from stdin
    python -m bentos commit TASK GENERATION         switch the workers to the prepared predictor
    python -m bentos abort TASK GENERATION          drop the prepared predictor
    python -m bentos challenge FOLDER [--mode shadow|split] [--share 0.1]
                                                    serve it beside the champion, on a copy or a share of the traffic
    python -m bentos unchallenge TASK               stop serving the challenger

Every command prints one line of JSON. Input that cannot be used gives exit code 2 and one sentence on stderr.
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

# Every command imports what it needs: a commit takes 0.1 s, importing the model's libraries takes seconds.
JsonObject = dict[str, Any]


def build(folder: str) -> JsonObject:
    """Store the predictor of a folder and build its bento; an identical predictor reuses its bento."""
    from bentos.packaging.build import build_bento, store_by_version

    return {"bento": build_bento(store_by_version(Path(folder)))}


def serve_and_compare(bento: str, folder: str, rows: str) -> JsonObject:
    """Serve a bento, compare its answers with the predictor's, and return one example request with its answer."""
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


def prepare(folder: str) -> JsonObject:
    """Store the predictor and wait until every worker has loaded and checked it, or one has refused it."""
    from bentos.rollout import hot_swap
    from bentos.rollout.load_check import describe_predictor

    return hot_swap.prepare_version(*describe_predictor(Path(folder_from_stdin() if folder == "-" else folder)))


def folder_from_stdin() -> str:
    """Import what most models need, then read a folder name from standard input.

    Raises:
        InputError: Standard input ended without a folder name.
    """
    import sklearn.linear_model  # noqa: F401

    if not (folder := sys.stdin.readline().rstrip("\n")):
        raise InputError("prepare - expects a folder on standard input, which ended; nothing was prepared.")
    return folder


def commit(task: str, generation: int) -> JsonObject:
    """Switch every worker to the predictor it has prepared."""
    from bentos.rollout import hot_swap

    return hot_swap.commit_version(require_served_task(task), generation)


def abort(task: str, generation: int) -> JsonObject:
    """Drop the prepared predictor in every worker."""
    from bentos.rollout import hot_swap

    return hot_swap.abort_version(require_served_task(task), generation)


def challenge(folder: str, mode: str, share: float) -> JsonObject:
    """Store the predictor and wait until every worker serves it as challenger, or one has refused it."""
    from bentos.rollout import hot_swap
    from bentos.rollout.desired_state import DesiredChallenger
    from bentos.rollout.load_check import describe_predictor

    if not 0 < share < 1:
        raise InputError(f"--share is {share:g}; expected more than 0 and less than 1, such as 0.1.")
    task, found = describe_predictor(Path(folder))
    return hot_swap.start_challenger(task, DesiredChallenger(**found.model_dump(), mode=mode, share=share))


def unchallenge(task: str) -> JsonObject:
    """Stop serving the challenger in every worker."""
    from bentos.rollout import hot_swap

    return hot_swap.stop_challenger(require_served_task(task))


def require_served_task(task: str) -> str:
    """Return the name of a task that a server has served before.

    Raises:
        InputError: No server has served it; the message suggests the nearest name.
    """
    tasks = [folder.parent.name for folder in state_dir().glob("*/serving")]
    if task not in tasks:
        hint = did_you_mean(task, tasks) if tasks else "No server has run yet."
        raise InputError(f"no server below {state_dir()} has ever answered {task!r}. {hint}")
    return task


class Parser(argparse.ArgumentParser):
    """An argument parser that raises InputError with one sentence."""

    def error(self, message: str) -> NoReturn:
        """Raise InputError with the message and the usage on one line."""
        raise InputError(f"{message}; {' '.join(self.format_usage().split())}")


def parser() -> Parser:
    """Build the parser with every command and its arguments."""
    top = Parser(prog="python -m bentos")
    commands = top.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    arguments_of: dict[str, tuple[Callable[..., JsonObject], list[str]]] = {
        "build": (build, ["folder"]),
        "try": (serve_and_compare, ["bento", "folder", "rows"]),
        "prepare": (prepare, ["folder"]),
        "commit": (commit, ["task", "generation"]),
        "abort": (abort, ["task", "generation"]),
        "challenge": (challenge, ["folder"]),
        "unchallenge": (unchallenge, ["task"]),
    }
    for name, (run, arguments) in arguments_of.items():
        command = commands.add_parser(name, help=run.__doc__)
        command.set_defaults(run=run)
        for argument in arguments:
            command.add_argument(argument, type=int if argument == "generation" else str)
    commands.choices["challenge"].add_argument("--mode", choices=["shadow", "split"], default="shadow")
    commands.choices["challenge"].add_argument("--share", type=float, default=0.1)
    return top


def main(argv: list[str]) -> int:
    """Run one command and return its exit code: 0 done, 2 the input cannot be used."""
    try:
        given = vars(parser().parse_args(argv))
        result = given.pop("run")(**given)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
