"""Viewer: Netron's page, with a script of ours at its head."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlencode

from tfaas_core.errors import NotFound
from tfaas_core.route import Handler, Request, Response
from tfaas_core.static_files import INDEX, StaticFiles

_OURS = "choose-model.js"
_SITE = Path(__file__).parent / "site"
_SUFFIXES = (".js", ".json", ".css", ".png", ".ico")
"""What the page loads; the package holds Python modules, too."""

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' "
        "'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
}
"""Its styles are within the page. Its scripts are not, and they reach no other server."""


class Viewer:
    """Handlers, which raise NotFound if Netron is not installed."""

    def __init__(self) -> None:
        found = find_spec("netron")
        places = found and found.submodule_search_locations
        self._folder = Path(places[0]) if places else None
        self._files = {name: _handler(folder) for name, folder in self._folders().items()}

    async def page(self, request: Request) -> Response:
        """``GET /netron/?model=NAME``."""
        folder = self._installed()
        if not request.head.raw_path.endswith("/"):
            # What the page loads is named relative to it.
            asked = urlencode(request.query.pairs)
            return Response(status=308, headers={"Location": f"./netron/?{asked}"})
        text = await asyncio.to_thread((folder / INDEX).read_text, "utf-8")
        ours = f'<head>\n<script src="{_OURS}"></script>'
        body = text.replace("<head>", ours, 1).encode()
        headers = {**_HEADERS, "Cache-Control": "no-cache"}
        return Response(body, media_type="text/html; charset=utf-8", headers=headers)

    async def file(self, request: Request) -> Response:
        """``GET /netron/FILE``."""
        self._installed()
        name = request.path_fields["file"]
        if not name.endswith(_SUFFIXES):
            raise NotFound(f"the viewer of graphs has no file {name[:200]!r}")
        return await self._files.get(name, self._files[""])(request)

    def _folders(self) -> dict[str, Path]:
        """Where the script of ours is, and, under the empty name, all else."""
        return {} if self._folder is None else {_OURS: _SITE, "": self._folder}

    def _installed(self) -> Path:
        if self._folder is None:
            raise NotFound(
                "the viewer of graphs is not installed here: pip install 'tfaas[netron]', and "
                "start the server again"
            )
        return self._folder


def _handler(folder: Path) -> Handler:
    _folder, files = StaticFiles("/netron", folder, headers=_HEADERS)
    return files.handler
