"""Bound the number of path labels in BentoML's metrics, which keep every requested path forever."""

from collections.abc import Iterable
from typing import Any

import bentoml
from starlette.routing import BaseRoute, Mount, Route

from bentos.api.middleware import App, Receive, Scope, Send

UNKNOWN = "/unknown"


class KnownPathsService(bentoml.Service[Any]):
    """A service that counts requests by known path, and all unknown paths as `/unknown`."""

    def to_asgi(self, is_main: bool = True) -> Any:
        """Build the application. Starlette runs the middleware added last first, so before BentoML's metrics."""
        app: Any = super().to_asgi(is_main)
        app.add_middleware(UnknownPathMiddleware, known=known_paths(app.routes))
        return app


class UnknownPathMiddleware:
    """Replace every path that the service does not have by `/unknown`."""

    def __init__(self, app: App, known: Iterable[str]) -> None:
        self.app = app
        self._known = frozenset(path + end for path in known for end in ("", "/"))  # Starlette redirects from the other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application with the path, or with `/unknown`."""
        if "path" in scope and scope["path"] not in self._known:
            scope = {**scope, "path": UNKNOWN, "raw_path": UNKNOWN.encode()}
        await self.app(scope, receive, send)


def known_paths(routes: Iterable[BaseRoute]) -> list[str]:
    """List the URL paths of the routes, without BentoML's static files (unbounded names)."""
    direct = [r.path for r in routes if isinstance(r, Route)]
    mounted = [r.path + path for r in routes if isinstance(r, Mount) for path in known_paths(r.routes)]
    return direct + mounted
