"""RayEngineFactory: makes the two parts of the engine ``kind = "ray"``."""

from __future__ import annotations

import importlib.util
import logging

from tfaas_backends.engines.ray.engine import RayEngine
from tfaas_backends.engines.ray.table import PATH, RAY, RayTable
from tfaas_core.config import Config
from tfaas_core.engine.base import (
    Engine,
    EngineContext,
    EngineFactory,
    Supervisor,
    WorkerContext,
)
from tfaas_core.engine.in_parent.confinement import check_sandbox, confinement
from tfaas_core.engine.remote import REMOTE, any_door, host_tls, spread_of, tls_warnings
from tfaas_core.errors import ConfigError

_log = logging.getLogger("tfaas.engine")


class RayEngineFactory(EngineFactory):
    """``kind = "ray"``: what follows the cluster in the parent, and doors in HTTP workers."""

    table = RayTable

    def supervisor(self, context: EngineContext) -> Supervisor | None:
        check_ray()
        _check(context.config)
        # Only the parent needs it.
        from tfaas_backends.engines.ray.supervisor import RaySupervisor

        for warning in tls_warnings(context.config):
            _log.warning("%s", warning)
        return RaySupervisor(context.config)

    def engine(self, context: WorkerContext) -> Engine:
        config = context.config
        return RayEngine(context, any_door(config), spread_of(config).calm_s)

    def sandbox(self, context: EngineContext) -> dict[str, str]:
        # On another machine it may be another one: that host's log tells.
        table: RayTable = context.config.engine_settings(RAY)
        return {} if table.address else confinement(context.config.engine)


def check_ray() -> None:
    """Raises ConfigError if it is not installed. It is not imported."""
    if importlib.util.find_spec("ray") is None:
        raise ConfigError(
            "this needs the package ray, which is not installed; pip install 'tfaas[ray]'"
            " - at `$.engine.kind`"
        )


def _check(config: Config) -> None:
    """Raises ConfigError for what no host could run by."""
    table: RayTable = config.engine_settings(RAY)
    if config.engine.isolation == "inline":
        raise ConfigError(
            "hosts need processes for models, `model` or `shared` - at `$.engine.isolation`"
        )
    if config.engine_settings(REMOTE).hosts:
        raise ConfigError(
            f"Ray says which hosts there are: leave it out - at `$.engine.{REMOTE}.hosts`"
        )
    if table.address and not any_door(config).token:
        raise ConfigError(
            "hosts of a cluster need a token, the same on all machines: make one by "
            f"`openssl rand -hex 32` - at `$.engine.{REMOTE}.token`"
        )
    if 0 < table.max_hosts < table.min_hosts:
        raise ConfigError(
            f"Expected `int` >= {table.min_hosts}, which min_hosts is - at `{PATH}.max_hosts`"
        )
    if not table.address:
        check_sandbox(config.engine)
    host_tls(config)
