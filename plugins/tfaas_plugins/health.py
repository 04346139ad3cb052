"""The endpoints that tell whether the server is fit to be asked: /health/live, ready, startup.

They are for whoever starts servers and sends requests to them: no guard is asked, each port has
them, and they say nothing but that. All is known beforehand, so that they may be asked at any rate.
"""

from __future__ import annotations

from collections.abc import Iterable

from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.operation import Operation, object_of
from tfaas_core.route import Handler, Request, Response, Route, json_response

_HEADERS = {"Cache-Control": "no-store"}
_NOT_NOW = {"Retry-After": "1"}


class HealthApi:
    """Handlers over one Host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def live(self, _request: Request) -> Response:
        """``GET /health/live``: that this HTTP worker answers at all."""
        return _answer("live", "")

    async def ready(self, _request: Request) -> Response:
        """``GET /health/ready``: whether requests should be sent here; no model counts."""
        return _answer("ready", self._host.fitness().why_not_ready)

    async def startup(self, _request: Request) -> Response:
        """``GET /health/startup``: whether all HTTP workers have served."""
        return _answer("started", self._host.fitness().why_not_started)


def _answer(what: str, reason: str) -> Response:
    if reason:
        answer = json_response({"status": f"not {what}", "reason": reason}, 503)
        return Response(answer.body, answer.status, headers=_HEADERS | _NOT_NOW)
    return Response(json_response({"status": what}).body, headers=_HEADERS)


@hookimpl
def tfaas_register_routes(host: Host) -> Iterable[Route]:
    api = HealthApi(host)
    return [
        _route("/health/live", api.live, "whether the server is fit to be asked"),
        _route("/health/ready", api.ready, "the same, by processes and storage"),
        _route("/health/startup", api.startup, "whether it has started"),
    ]


def _route(path: str, handler: Handler, summary: str) -> Route:
    said = Operation(summary, answer=object_of(("status",), status="string", reason="string"))
    return Route(path, ("GET",), handler, public=True, operation=said)
