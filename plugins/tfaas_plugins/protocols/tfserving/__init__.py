"""TensorFlow Serving's APIs, so that its clients need no change: ``/v1/...``, and over gRPC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from tfaas_core.errors import ConfigError
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.observer import Observer
from tfaas_core.route import Route
from tfaas_core.service import Service

if TYPE_CHECKING:
    from tfaas_plugins.protocols.unloaded import UnloadedModels

NAME = "tfserving"

_UNLOADED_BY = "oip"
"""The plugin in whose memory the HTTP workers note which models are unloaded."""


class TfServingTable(Struct, frozen=True):
    """``[plugins.tfserving]``: what TensorFlow Serving's protocol may do."""

    reload_config: bool = False
    """Whether HandleReloadConfigRequest is served over gRPC, for administrators."""


@hookimpl
def tfaas_config_sections() -> Mapping[str, type[Struct]]:
    """The table ``[plugins.tfserving]``."""
    return {NAME: TfServingTable}


@hookimpl
def tfaas_register_observers(host: Host) -> Iterable[Observer]:
    """One that knows when a model is loaded by another way than a protocol's."""
    from tfaas_plugins.protocols.unloaded import SwitchesObserver

    unloaded = _unloaded(host)
    return [] if unloaded is None else [SwitchesObserver(unloaded)]


@hookimpl
def tfaas_register_routes(host: Host) -> Iterable[Route]:
    """All below ``/v1``, in either case.

    Who may predict may see what a model takes; which models there are, is for those who may read.
    """
    from tfaas_plugins.protocols.tfserving.api import ServingApi
    from tfaas_plugins.protocols.tfserving.operations import GET, MODELS, POST

    _unloaded(host)
    api = ServingApi(host)
    for path in ("/v1", "/V1"):
        rest = f"{path}/{{path...}}"
        yield Route(f"{path}/models", ("GET",), api.models, right="read", operation=MODELS)
        yield Route(rest, ("GET",), api.get, right="predict", operation=GET)
        yield Route(rest, ("POST",), api.post, express=True, right="predict", operation=POST)


@hookimpl
def tfaas_register_services(host: Host) -> Iterable[Service]:
    """``PredictionService`` and ``ModelService``."""
    from tfaas_plugins.protocols.tfserving.services import services

    return services(host, _unloaded(host))


def _unloaded(host: Host) -> UnloadedModels | None:
    """The models that are unloaded, if this protocol may change that."""
    from tfaas_plugins.protocols.unloaded import UnloadedModels

    table: TfServingTable = host.settings(NAME)
    if not table.reload_config:
        return None
    if _UNLOADED_BY not in host.memory:
        raise ConfigError(
            "reload_config needs the built-in plugin tfaas_plugins.protocols.oip; take that out of "
            f"plugins.disabled - at `$.plugins.{NAME}.reload_config`"
        )
    return UnloadedModels.of(host, host.memory[_UNLOADED_BY])
