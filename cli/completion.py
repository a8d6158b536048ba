"""Print the shell completion script for commands, flags, tasks and stacks: `credence completion bash`."""

from cli.flags import ALL_COMMANDS, parser

# Names of tasks and stacks are listed at completion time, from the current folder.
NAMES_BASH = """
_credence_names() { local f; for f in "$1"/*.yaml; do f="${f##*/}"; echo "${f%.yaml}"; done; }
_credence_tasks() { compgen -W "$(_credence_names tasks)" -- "$1"; }
_credence_stacks() { compgen -W "$(_credence_names stacks)" -- "$1"; }
"""
NAMES_ZSH = """
_credence_tasks() { compadd -- tasks/*.yaml(N:t:r); }
_credence_stacks() { compadd -- stacks/*.yaml(N:t:r); }
"""
NAMES = {"bash": NAMES_BASH, "zsh": NAMES_ZSH}
FILES = ("data", "out")


def script(shell: str) -> str:
    """Return the completion script of `credence` for a shell."""
    import shtab

    p = parser(ALL_COMMANDS, "credence")
    commands = next(action for action in p._actions if action.dest == "command").choices or {}
    for own in (p, *dict(commands).values()):
        for action in own._actions:
            if action.dest in FILES:
                action.complete = shtab.FILE
            elif action.dest in ("task", "stack") and shell in NAMES:
                action.complete = {shell: f"_credence_{action.dest}s", "preamble": NAMES}
    return str(shtab.complete(p, shell))
