"""The endpoint that tells how the server is: /status."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tfaas_core import __version__
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.route import Request, Response, Route, json_response, visible_models


@hookimpl
def tfaas_register_routes(host: Host) -> Iterable[Route]:
    async def status(request: Request) -> Response:
        server, loaded = await host.status(), await host.engine.servables()
        names = [each.model.partition("/")[0] for each in loaded]
        visible = await visible_models(request, names)
        models = [each for each, name in zip(loaded, names, strict=True) if name in visible]
        return json_response(
            {"version": __version__, "uptime_s": server.uptime_s}
            | {"processes": msgspec.to_builtins(server.processes)}
            | {"unavailable": server.unavailable, "sandbox": server.sandbox}
            | {"worker_sandbox": server.worker_sandbox}
            | {"models": msgspec.to_builtins(models)}
        )

    return [Route("/status", ("GET",), status)]
