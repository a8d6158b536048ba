"""ZenML's dashboard over the local store: python -m stacks.dashboard [--port 8237]

`zenml login --local` would do it too, but leaves a daemon behind and every later command depending on it.
"""

import argparse
import os

import uvicorn
from zenml.client import Client
from zenml.config.global_config import GlobalConfiguration
from zenml.constants import (
    ENV_ZENML_CONFIG_PATH,
    ENV_ZENML_DISABLE_DATABASE_MIGRATION,
    ENV_ZENML_LOCAL_STORES_PATH,
    ENV_ZENML_SERVER,
    ENV_ZENML_SERVER_ALLOW_LOCAL_FILE_ACCESS,
    ENV_ZENML_SERVER_AUTH_SCHEME,
    ENV_ZENML_SERVER_AUTO_ACTIVATE,
    ENV_ZENML_SERVER_DEPLOYMENT_TYPE,
    ENV_ZENML_USER_ID,
)
from zenml.enums import AuthScheme
from zenml.models import ServerDeploymentType

HOST = "127.0.0.1"


def surroundings() -> dict[str, str]:
    """The environment in which a server reads this user's own store, without asking for a password."""
    own = GlobalConfiguration()
    Client().active_user  # noqa: B018  creates the store where nothing has been run yet
    return {
        ENV_ZENML_SERVER: "true",
        ENV_ZENML_SERVER_ALLOW_LOCAL_FILE_ACCESS: "true",
        ENV_ZENML_CONFIG_PATH: os.path.join(own.config_directory, "dashboard"),
        ENV_ZENML_LOCAL_STORES_PATH: own.local_stores_path,
        ENV_ZENML_SERVER_AUTH_SCHEME: AuthScheme.NO_AUTH.value,
        ENV_ZENML_SERVER_DEPLOYMENT_TYPE: ServerDeploymentType.LOCAL.value,
        ENV_ZENML_SERVER_AUTO_ACTIVATE: "true",
        ENV_ZENML_DISABLE_DATABASE_MIGRATION: "true",
        ENV_ZENML_USER_ID: str(own.user_id),
    }


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8237)
    port = parser.parse_args().port
    environment = surroundings()
    os.makedirs(environment[ENV_ZENML_CONFIG_PATH], exist_ok=True)
    GlobalConfiguration._reset_instance()
    os.environ.update(environment)
    print(f"the dashboard: http://{HOST}:{port}   (the first visit asks for a name; stop with Ctrl-C)", flush=True)
    uvicorn.run("zenml.zen_server.zen_server_api:app", host=HOST, port=port, log_level="warning")


if __name__ == "__main__":
    main()
