"""The endpoint that tells how the server is: /status."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from tfaas_core import __version__
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.operation import OBJECT, Operation
from tfaas_core.route import Request, Response, Route, json_response, visible_models
from tfaas_core.status import Figures


@hookimpl
def tfaas_register_routes(host: Host) -> Iterable[Route]:
    async def status(request: Request) -> Response:
        server, loaded = await host.status(), await host.engine.servables()
        names = [each.model.partition("/")[0] for each in loaded]
        if (figures := host.figures) is not None:
            await figures.settled()
        of_models = {} if figures is None else figures.of_models()
        visible = await visible_models(request, {*names, *of_models})
        models = [each for each, name in zip(loaded, names, strict=True) if name in visible]
        return json_response(
            {"version": __version__, "uptime_s": server.uptime_s}
            | {"processes": msgspec.to_builtins(server.processes)}
            | {"unavailable": server.unavailable, "sandbox": server.sandbox}
            | {"worker_sandbox": server.worker_sandbox}
            | ({"hosts": msgspec.to_builtins(hosts)} if (hosts := host.engine.hosts()) else {})
            | {"models": msgspec.to_builtins(models)}
            | _figured(figures, {name: of_models[name] for name in of_models if name in visible})
        )

    said = Operation("since when the server runs, its processes, and what is loaded", answer=OBJECT)
    return [Route("/status", ("GET",), status, operation=said)]


def _figured(figures: Figures | None, of_models: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if figures is None:
        return {}
    return {"last_minute": figures.of_server(), "figures": of_models}
