"""The Open Inference Protocol, which KServe and Triton speak: ``/v2/...``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from tfaas_core.config import Config
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.route import Route
from tfaas_core.service import Service
from tfaas_plugins.protocols.oip.sizes import MEMORY_BYTES

if TYPE_CHECKING:
    from tfaas_plugins.protocols.oip.parts import Parts

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
    return {NAME: MEMORY_BYTES}


@hookimpl
def tfaas_register_routes(host: Host) -> Iterable[Route]:
    """All below ``/v2``; who may predict may see what a model takes, and health everybody."""
    from tfaas_plugins.protocols.oip.api import InferenceApi

    parts = _parts(host)
    repository = parts.repository
    if repository.is_allowed:
        host.shared[parts.unloaded.KEY] = parts.unloaded
    api = InferenceApi(host, parts.facts, parts.inference, repository)
    for path in ("/v2", "/V2"):
        yield Route(path, ("GET",), api.get, right="predict")
        yield Route(f"{path}/{{path...}}", ("GET",), api.get, right="predict")
        yield Route(f"{path}/{{path...}}", ("POST",), api.post, express=True, right="predict")
        for what in ("live", "ready"):
            yield Route(f"{path}/health/{what}", ("GET",), api.get, public=True)
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

    table: OipTable = host.settings(NAME)
    return Parts.of(host, host.memory[NAME], table.model_control)
