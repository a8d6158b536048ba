"""Pages beside the API: `/` (what this server answers), `/health` and `/card` (model card)."""

import html
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from bentos.runtime.loaded_predictor import LoadedPredictor
from credence.predictor import PredictorInfo

CARDS = {"card.html": "text/html", "card.md": "text/markdown"}
LINKS = ("/card", "/docs.json", "/health", "/metrics")


def html_pages(champion: Callable[[], LoadedPredictor]) -> Starlette:
    """Build an ASGI application with `/`, `/health` and `/card`, to be mounted beside the API.

    Args:
        champion: Returns the current champion; called for every request.
    """

    async def index(request: Request) -> Response:
        """Replace BentoML's index page, which loads a third-party tracker."""
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(_page(about_page(champion().info)))
        return JSONResponse(about_page(champion().info))

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "version": champion().info.version})

    async def card(request: Request) -> Response:
        folder = champion().folder
        for name, kind in CARDS.items():
            if (folder / name).is_file():
                return FileResponse(folder / name, media_type=kind)
        return JSONResponse({"error": "this predictor has no model card.", "field": None}, status_code=404)

    return Starlette(routes=[Route("/", index), Route("/health", health), Route("/card", card)])


def about_page(info: PredictorInfo) -> dict[str, Any]:
    """Describe the task, its answers and the endpoints, for the index page."""
    return {
        "task": info.task,
        "question": info.question,
        "answers": list(info.answers),
        "version": info.version,
        "ask": ["/predict", "/batch_predict", "/explain"],
        "read": list(LINKS),
    }


def _page(about: dict[str, Any]) -> str:
    title, (no, yes) = html.escape(about["question"]), map(html.escape, about["answers"])
    links = " · ".join(f'<a href="{link}">{link}</a>' for link in LINKS)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><h1>{title}</h1>'
        f"<p>Answers: {no} or {yes}. Version: {html.escape(about['version'])}.</p>"
        f"<p>POST a row to /predict, rows to /batch_predict.</p><p>{links}</p></html>"
    )
