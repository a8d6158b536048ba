"""Keeps BentoML's figures small: it labels them by whatever path a caller asks for, and never forgets one."""

from collections.abc import Iterable
from typing import Any

import bentoml
from starlette.routing import BaseRoute, Mount, Route

from bentos.api.middleware import App, Receive, Scope, Send

UNKNOWN = "/unknown"


class KnownPathsService(bentoml.Service[Any]):
    """A service that is asked for, and so counts, the paths that it has and one that it has not."""

    def to_asgi(self, is_main: bool = True) -> Any:
        """The application; what is added last to one of Starlette's comes first, also before BentoML counts."""
        app: Any = super().to_asgi(is_main)
        app.add_middleware(UnknownPathMiddleware, known=known_paths(app.routes))
        return app


class UnknownPathMiddleware:
    """Asks for `/unknown` in the place of every path that the service does not have."""

    def __init__(self, app: App, known: Iterable[str]) -> None:
        self.app = app
        self._known = frozenset(path + end for path in known for end in ("", "/"))  # Starlette redirects from the other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if "path" in scope and scope["path"] not in self._known:
            scope = {**scope, "path": UNKNOWN, "raw_path": UNKNOWN.encode()}
        await self.app(scope, receive, send)


def known_paths(routes: Iterable[BaseRoute]) -> list[str]:
    """What can be asked for. Of BentoML's pages, which we replace, the files are left out: any name might be one."""
    found = [r.path for r in routes if isinstance(r, Route)]
    mounted = [r.path + path for r in routes if isinstance(r, Mount) for path in known_paths(r.routes)]
    return found + mounted
