"""TensorFlow Serving's APIs, so that its clients need no change: ``/v1/...``, and over gRPC."""

from __future__ import annotations

from collections.abc import Iterable

from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.route import Route
from tfaas_core.service import Service

NAME = "tfserving"


@hookimpl
def tfaas_register_routes(host: Host) -> Iterable[Route]:
    """All below ``/v1``, in either case; who may predict may see what a model takes."""
    from tfaas_plugins.protocols.tfserving.api import ServingApi

    api = ServingApi(host)
    for path in ("/v1/{path...}", "/V1/{path...}"):
        yield Route(path, ("GET",), api.get, right="predict")
        yield Route(path, ("POST",), api.post, express=True, right="predict")


@hookimpl
def tfaas_register_services(host: Host) -> Iterable[Service]:
    """``PredictionService`` and ``ModelService``."""
    from tfaas_plugins.protocols.tfserving.services import services

    return services(host)
