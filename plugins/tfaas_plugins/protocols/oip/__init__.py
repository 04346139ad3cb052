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
from tfaas_plugins.protocols.oip.models.sizes import memory_bytes

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
    from tfaas_plugins.protocols.oip.operations import (
        CONTROL,
        GET,
        HEALTH,
        INDEX,
        LOOKS,
        POST,
        SERVER,
    )

    parts = _parts(host)
    api, repository = InferenceApi(parts.models, parts.facts, parts.inference), parts.repository
    for path in ("/v2", "/V2"):
        rest = f"{path}/{{path...}}"
        yield Route(path, ("GET",), api.get, right="predict", operation=SERVER)
        yield Route(rest, ("GET",), api.get, right="predict", operation=GET)
        yield Route(rest, ("POST",), api.post, express=True, right="predict", operation=POST)
        for what in ("live", "ready"):
            yield Route(f"{path}/health/{what}", ("GET",), api.get, public=True, operation=HEALTH)
        looks = {"models": api.models, "models/stats": api.stats, "logging": api.logging}
        for what, handler in looks.items():
            yield Route(f"{path}/{what}", ("GET",), handler, right="read", operation=LOOKS[what])
        index = f"{path}/repository/index"
        yield Route(index, ("POST",), repository.index, right="read", operation=INDEX)
        control = f"{path}/repository/models/{{name}}"
        for what, handler in {"load": repository.load, "unload": repository.unload}.items():
            said = CONTROL[what]
            yield Route(f"{control}/{what}", ("POST",), handler, right="admin", operation=said)


@hookimpl
def tfaas_register_services(host: Host) -> Iterable[Service]:
    """``inference.GRPCInferenceService``."""
    from tfaas_plugins.protocols.oip.calls import InferenceCalls

    yield InferenceCalls(host, _parts(host)).service()


def _parts(host: Host) -> Parts:
    from tfaas_plugins.protocols.oip.parts import Parts

    return Parts.of(host, host.memory[NAME], _unloaded(host))
