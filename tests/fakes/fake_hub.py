"""A Hugging Face Hub with one repository on this machine, for tests of how checkpoints are fetched."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """Serves the files of a folder as `name`, and remembers which of them were asked for."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder, self.fetched = name, folder, list[str]()
        self.address = ""

    def stand_in(self, patch: pytest.MonkeyPatch) -> None:
        """Let the hub's library take this for the hub."""
        template = "{repo_id}/resolve/{revision}/{filename}"
        patch.setattr("huggingface_hub.constants.ENDPOINT", self.address)
        patch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", f"{self.address}/{template}")

    def about(self) -> bytes:
        files = [{"rfilename": f.name, "size": f.stat().st_size} for f in sorted(self.folder.iterdir())]
        return json.dumps({"id": self.name, "modelId": self.name, "sha": COMMIT, "siblings": files}).encode()

    def tree(self) -> bytes:
        files = sorted(self.folder.iterdir())
        return json.dumps(
            [{"type": "file", "path": f.name, "size": f.stat().st_size, "oid": COMMIT} for f in files]
        ).encode()

    def handler(hub) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._answer(body=False)

            def do_GET(self) -> None:
                self._answer(body=True)

            def _answer(self, body: bool) -> None:
                path = self.path.partition("?")[0]
                if path.startswith(f"/api/models/{hub.name}/tree/"):
                    return self._send(hub.tree(), body)
                if path.startswith(f"/api/models/{hub.name}"):
                    return self._send(hub.about(), body)
                file = hub.folder / path.rpartition("/")[2]
                if path.startswith(f"/{hub.name}/resolve/") and file.is_file():
                    hub.fetched += [file.name] if body else []
                    return self._send(file.read_bytes(), body)
                return self._send(b"{}", body, 404)

            def _send(self, content: bytes, body: bool, status: int = 200) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
                self.send_header("X-Repo-Commit", COMMIT)
                if status == 404:
                    self.send_header("X-Error-Code", "RepoNotFound")
                self.end_headers()
                if body:
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@contextmanager
def serving(name: str, folder: Path) -> Iterator[FakeHub]:
    """A hub that runs inside."""
    hub = FakeHub(name, folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), hub.handler())
    hub.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
