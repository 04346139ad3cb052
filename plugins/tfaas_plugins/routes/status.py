"""The endpoint that tells how the server is: /status."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tfaas_core import __version__
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.route import Request, Response, Route, json_response


@hookimpl
def tfaas_register_routes(host: Host) -> Iterable[Route]:
    async def status(_request: Request) -> Response:
        server = await host.status()
        return json_response(
            {"version": __version__, "uptime_s": server.uptime_s}
            | {"processes": msgspec.to_builtins(server.processes)}
            | {"unavailable": server.unavailable, "sandbox": server.sandbox}
            | {"models": msgspec.to_builtins(await host.engine.servables())}
        )

    return [Route("/status", ("GET",), status)]
