"""The OpenAPI document of all routes, a plugin: GET /openapi.json."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.operation import OBJECT, Operation
from tfaas_core.route import Request, Response, Route, json_response


class OpenApi:
    """The document, which is put together when it is first asked for."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._answer: Response | None = None

    async def show(self, _request: Request) -> Response:
        """``GET /openapi.json``."""
        if self._answer is None:
            self._answer = await asyncio.to_thread(self._made)
        return self._answer

    def _made(self) -> Response:
        from tfaas_plugins.openapi.document import document_of

        return json_response(document_of(self._host.routes(), self._host.config.server.base))


@hookimpl
def tfaas_register_routes(host: Host) -> Iterable[Route]:
    """Documentation, for whoever may look."""
    said = Operation("this document", answer=OBJECT)
    return [Route("/openapi.json", ("GET",), OpenApi(host).show, operation=said)]
