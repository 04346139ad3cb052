"""The Open Inference Protocol, which KServe and Triton speak: ``/v2/...``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from tfaas_core.config import Config
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.observer import Observer
from tfaas_core.route import Route
from tfaas_core.service import Service
from tfaas_plugins.protocols.oip.sizes import memory_bytes

if TYPE_CHECKING:
    from tfaas_plugins.protocols.oip.parts import Parts
    from tfaas_plugins.protocols.unloaded import UnloadedModels

NAME = "oip"


class OipTable(Struct, frozen=True):
    """``[plugins.oip]``: what the Open Inference Protocol may do."""

    model_control: bool = False
    """Whether ``/v2/repository/models/NAME/load`` and ``unload`` are served, for administrators."""


@hookimpl
def tfaas_config_sections() -> Mapping[str, type[Struct]]:
    """The table ``[plugins.oip]``."""
    return {NAME: OipTable}


@hookimpl
def tfaas_register_memory(config: Config) -> Mapping[str, int]:
    """What the HTTP workers count in, and note which models are unloaded."""
    return {NAME: memory_bytes(config.server.worker_count)}


@hookimpl
def tfaas_register_observers(host: Host) -> Iterable[Observer]:
    """One that knows when a model is loaded by another way than a protocol's."""
    from tfaas_plugins.protocols.unloaded import SwitchesObserver

    unloaded = _unloaded(host)
    return [] if unloaded is None else [SwitchesObserver(unloaded)]


def _unloaded(host: Host) -> UnloadedModels | None:
    """None if no model may be unloaded."""
    from tfaas_plugins.protocols.unloaded import UnloadedModels

    table: OipTable = host.settings(NAME)
    return UnloadedModels.of(host, host.memory[NAME]) if table.model_control else None


@hookimpl
def tfaas_register_routes(host: Host) -> Iterable[Route]:
    """All below ``/v2``.

    Who may predict may see what a model takes, and everybody how the server is. What there is
    besides, is for those who may read.
    """
    from tfaas_plugins.protocols.oip.api import InferenceApi

    parts = _parts(host)
    api, repository = InferenceApi(parts.models, parts.facts, parts.inference), parts.repository
    for path in ("/v2", "/V2"):
        yield Route(path, ("GET",), api.get, right="predict")
        yield Route(f"{path}/{{path...}}", ("GET",), api.get, right="predict")
        yield Route(f"{path}/{{path...}}", ("POST",), api.post, express=True, right="predict")
        for what in ("live", "ready"):
            yield Route(f"{path}/health/{what}", ("GET",), api.get, public=True)
        yield Route(f"{path}/models", ("GET",), api.models, right="read")
        yield Route(f"{path}/models/stats", ("GET",), api.stats, right="read")
        yield Route(f"{path}/logging", ("GET",), api.logging, right="read")
        yield Route(f"{path}/repository/index", ("POST",), repository.index, right="read")
        control = f"{path}/repository/models/{{name}}"
        yield Route(f"{control}/load", ("POST",), repository.load, right="admin")
        yield Route(f"{control}/unload", ("POST",), repository.unload, right="admin")


@hookimpl
def tfaas_register_services(host: Host) -> Iterable[Service]:
    """``inference.GRPCInferenceService``."""
    from tfaas_plugins.protocols.oip.calls import InferenceCalls

    yield InferenceCalls(host, _parts(host)).service()


def _parts(host: Host) -> Parts:
    from tfaas_plugins.protocols.oip.parts import Parts

    return Parts.of(host, host.memory[NAME], _unloaded(host))
