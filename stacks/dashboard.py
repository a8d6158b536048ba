"""Serve ZenML's dashboard for the local store: python -m stacks.dashboard [--port 8237].

`zenml login --local` does this too, but leaves a daemon running on which every later command depends.
"""

import argparse
import os
import socket
import sys
from contextlib import suppress

HOST = "127.0.0.1"
QUIET = {"ZENML_ANALYTICS_OPT_IN": "false", "ZENML_LOGGING_VERBOSITY": "CRITICAL"}


def dashboard_environment() -> dict[str, str]:
    """Return the environment for a server on this user's local store, without password and e-mail prompts."""
    from zenml import constants
    from zenml.client import Client
    from zenml.config.global_config import GlobalConfiguration
    from zenml.enums import AuthScheme
    from zenml.models import ServerDeploymentType, UserUpdate

    own, client = GlobalConfiguration(), Client()  # creates the store before the first run
    answered = UserUpdate(email_opted_in=False, user_metadata={"finished_onboarding_survey": True})
    if client.active_user.email_opted_in is None:
        client.zen_store.update_user(client.active_user.id, answered)
    return {
        constants.ENV_ZENML_SERVER: "true",
        constants.ENV_ZENML_SERVER_ALLOW_LOCAL_FILE_ACCESS: "true",
        constants.ENV_ZENML_CONFIG_PATH: os.path.join(own.config_directory, "dashboard"),
        constants.ENV_ZENML_LOCAL_STORES_PATH: own.local_stores_path,
        constants.ENV_ZENML_SERVER_AUTH_SCHEME: AuthScheme.NO_AUTH.value,
        constants.ENV_ZENML_SERVER_DEPLOYMENT_TYPE: ServerDeploymentType.LOCAL.value,
        constants.ENV_ZENML_SERVER_AUTO_ACTIVATE: "true",
        constants.ENV_ZENML_DISABLE_DATABASE_MIGRATION: "true",
        constants.ENV_ZENML_USER_ID: str(own.user_id),
    }


def free_port(port: int) -> bool:
    """Return whether this port of 127.0.0.1 can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True


def serve(port: int) -> None:
    """Serve until Ctrl-C. ZenML reads the environment at its first import, and again when the server starts."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    environment = dashboard_environment()
    from zenml.config.global_config import GlobalConfiguration

    os.makedirs(environment["ZENML_CONFIG_PATH"], exist_ok=True)
    GlobalConfiguration._reset_instance()
    os.environ.update(environment)
    import uvicorn

    print(f"the dashboard: http://{HOST}:{port}   (stop with Ctrl-C)", flush=True)
    uvicorn.run("zenml.zen_server.zen_server_api:app", host=HOST, port=port, log_level="warning")


def main(argv: list[str] | None = None) -> int:
    """Serve the dashboard. Exit code 0 after Ctrl-C, 2 if the port is in use."""
    parser = argparse.ArgumentParser("python -m stacks.dashboard", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=8237, help="default 8237")
    port = parser.parse_args(argv).port
    if not free_port(port):
        print(
            f"error: port {port} of {HOST} is in use; stop what listens there, or choose another --port.",
            file=sys.stderr,
        )
        return 2
    with suppress(KeyboardInterrupt):
        serve(port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
