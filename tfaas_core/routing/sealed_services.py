"""Sealed services: what is called by name, behind the seam as routes are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any, cast

import msgspec

from tfaas_core.errors import TfaasError
from tfaas_core.route import Handler, Request, Response, Route
from tfaas_core.routing.guards import Guards
from tfaas_core.routing.observers import Observers
from tfaas_core.routing.proxies import Proxies
from tfaas_core.routing.seam import Passage, sealed
from tfaas_core.routing.way_back import WayBack
from tfaas_core.service import Call, Method, MethodHandler, Service

MESSAGE_TYPE = "application/grpc"
"""The media type of what is no JSON of an error, but a message."""

_NO_METHOD = Method(cast("MethodHandler", None))


class UnknownMethod(TfaasError):
    """Nobody serves a method of this name, or not on this port."""

    status = 501
    code = "unknown_method"


class SealedMethod(msgspec.Struct, frozen=True):
    """``method``, which is called by ``passage``, and never by its handler.

    ``opening`` is asked before anything of a stream is taken, and answers with an empty message.
    """

    method: Method
    passage: Passage
    opening: Passage


class SealedServices(msgspec.Struct, frozen=True):
    """``methods`` by their paths, like ``/inference.GRPCInferenceService/ModelInfer``."""

    services: tuple[Service, ...]
    methods: Mapping[str, SealedMethod]
    unknown: SealedMethod
    """What answers calls of all others."""

    @classmethod
    def of(
        cls,
        owned: Iterable[tuple[Service, str]],
        plugins: Collection[str],
        ours: Collection[str],
        watching: tuple[Guards, Observers, Proxies | None],
        manages: bool,
    ) -> SealedServices:
        """``owned``: services, each with the module of its plugin, which is one of ``plugins``.

        What those of ``ours`` answer needs no check. ``manages``: whether more than predictions is
        served where services are called.
        """
        _guards, observers, proxies = watching
        methods, services = {}, []
        for service, owner in owned:
            services.append(service)
            for name, method in service.methods.items():
                path = f"/{service.name}/{name}"
                is_here = manages or method.public or method.right == "predict"
                answers = partial(_answer, method.handler) if is_here else _elsewhere
                opens = _open if is_here else _elsewhere
                methods[path] = SealedMethod(
                    method,
                    _sealed(path, method, answers, owner, plugins, owner in ours, *watching),
                    _sealed(path, method, opens, owner, plugins, True, *watching),
                )
        refusing = Passage(_unknown, True, proxies=proxies, way_back=WayBack(observers.at()))
        return cls(tuple(services), methods, SealedMethod(_NO_METHOD, refusing, refusing))


def _sealed(path: str, method: Method, handler: Handler, *rest: Any) -> Passage:
    takes_none = handler is _open or handler is _elsewhere
    right, public = method.right, method.public
    route = Route(path, ("POST",), handler, takes_none, right=right, public=public)
    return sealed(route, *rest).passage


async def _answer(handler: MethodHandler, request: Request) -> Response:
    return Response(await handler(cast("Call", request)), media_type=MESSAGE_TYPE)


async def _open(_request: Request) -> Response:
    return Response(media_type=MESSAGE_TYPE)


async def _elsewhere(request: Request) -> Response:
    raise UnknownMethod(
        f"{request.path[:200]} is no prediction, and server.admin_port is set; use HTTP's port "
        "for management"
    )


async def _unknown(_request: Request) -> Response:
    raise UnknownMethod("nobody serves this method here; reflection lists those that there are")
