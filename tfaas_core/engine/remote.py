"""The built-in engine ``kind = "remote"``: models on other hosts, each behind a door."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from tfaas_core.config import Config
from tfaas_core.configured_path import configured_path
from tfaas_core.engine.base import (
    Engine,
    EngineContext,
    EngineFactory,
    Supervisor,
    WorkerContext,
)
from tfaas_core.engine.in_front.dialling import FarDoor
from tfaas_core.engine.in_front.spread import SpreadSettings
from tfaas_core.engine.in_front.spreading_engine import SpreadingEngine
from tfaas_core.engine.shared.calm import CALM_S
from tfaas_core.engine.shared.door_tls import CallerTls, HostTls
from tfaas_core.errors import ConfigError
from tfaas_core.hookspecs import hookimpl
from tfaas_core.secret import SecretPlace, resolve
from tfaas_core.settings.tables import PositiveInt, Table
from tfaas_core.system.network.address import is_loopback
from tfaas_core.system.network.tls import TlsFiles

REMOTE = "remote"
_PATH = f"$.engine.{REMOTE}"
_LABEL = r"[A-Za-z0-9_-]{1,63}"
_ADDRESS = re.compile(rf"({_LABEL}(\.{_LABEL})*\.?|\[[0-9A-Fa-f:.%]+\]):[0-9]{{1,5}}")

_log = logging.getLogger("tfaas.engine")


class RemoteTable(Table, frozen=True):
    """``[engine.remote]``: the hosts that run models for this server."""

    hosts: tuple[str, ...] = ()
    """Where they listen, as each ``tfaas serve-engine`` prints it, like ``10.0.0.1:8090``."""
    token: str | SecretPlace = ""
    """What servers and hosts know, and nobody else; needed beyond one machine."""
    dead_after_s: Annotated[float, Meta(ge=1, le=600)] = 3.0
    """A host or a server that is silent for so long is gone."""
    max_replicas: PositiveInt = 1
    """Hosts of each model, at most, while many rows wait for it; one that keeps state has one."""
    rows_per_replica: PositiveInt = 64
    """So many of a model's rows may wait or run for each of its hosts; more call for another."""
    calm_s: Annotated[float, Meta(ge=1, le=86_400)] = CALM_S
    """A model that nobody has asked for in this time gives way to others on a full host; fewer
    hosts of a model have to be enough for this time before one goes."""
    tls_cert: str = ""
    """The file of this machine's certificate, in PEM, and those that it is signed with."""
    tls_key: str = ""
    """The file of the certificate's key; empty: tls_cert has it, too."""
    tls_ca: str = ""
    """Who signs hosts' certificates; if set, servers speak TLS with hosts."""
    tls_client_ca: str = ""
    """Who signs servers' certificates; if set, a host asks for them."""


class RemoteEngineFactory(EngineFactory):
    """``kind = "remote"``: a part in each HTTP worker, and none in the parent."""

    table = RemoteTable

    def supervisor(self, context: EngineContext) -> Supervisor | None:
        doors_of(context.config)
        for warning in tls_warnings(context.config):
            _log.warning("%s", warning)
        return None

    def engine(self, context: WorkerContext) -> Engine:
        config = context.config
        return SpreadingEngine(context, doors_of(config), spread_of(config))


def doors_of(config: Config) -> Sequence[FarDoor]:
    """Those of the configured hosts. Raises ConfigError."""
    table: RemoteTable = config.engine_settings(REMOTE)
    if not table.hosts:
        raise ConfigError(f"name one host at least, like `10.0.0.1:8090` - at `{_PATH}.hosts`")
    for index, host in enumerate(table.hosts):
        path = f"{_PATH}.hosts[{index}]"
        if _ADDRESS.fullmatch(host) is None or int(host.rpartition(":")[2]) > 65_535:
            raise ConfigError(
                f"Expected an address like `10.0.0.1:8090`, got `{host}` - at `{path}`"
            )
        if host in table.hosts[:index]:
            raise ConfigError(f"`{host}` is there twice - at `{path}`")
    door = any_door(config)
    doors = [msgspec.structs.replace(door, address=host) for host in table.hosts]
    for each in doors:
        check_token(each.token, each.place[0])
    return doors


def any_door(config: Config) -> FarDoor:
    """What every door is called with; its address is to be filled in. Raises ConfigError."""
    table: RemoteTable = config.engine_settings(REMOTE)
    return FarDoor("", token_of(config), table.dead_after_s, _caller_tls(config))


def spread_of(config: Config) -> SpreadSettings:
    """On how many hosts models may be, and when."""
    table: RemoteTable = config.engine_settings(REMOTE)
    return SpreadSettings(table.max_replicas, table.rows_per_replica, table.calm_s)


def token_of(config: Config) -> str:
    """The text of the token; empty if there is none. Raises ConfigError."""
    table: RemoteTable = config.engine_settings(REMOTE)
    return resolve(table.token, config.base_dir, f"{_PATH}.token")


def host_tls(config: Config) -> HostTls | None:
    """What a host has callers speak TLS with; None: they are not to. Raises ConfigError."""
    table: RemoteTable = config.engine_settings(REMOTE)
    if (files := _own_files(config)) is not None:
        return HostTls(files)
    for key in ("tls_ca", "tls_client_ca"):
        if getattr(table, key):
            raise ConfigError(f"Expected `tls_cert` beside it - at `{_PATH}.{key}`")
    return None


def _own_files(config: Config) -> TlsFiles | None:
    """Those of this machine's certificate, if it has one. Raises ConfigError."""
    table: RemoteTable = config.engine_settings(REMOTE)
    if not table.tls_cert:
        if table.tls_key:
            raise ConfigError(f"Expected `tls_cert` beside it - at `{_PATH}.tls_key`")
        return None
    cert, ca = _path(config, "tls_cert"), None
    if table.tls_client_ca:
        ca = _path(config, "tls_client_ca")
    key = _path(config, "tls_key") if table.tls_key else cert
    return TlsFiles(cert, key, ca, f"engine.{REMOTE}")


def tls_warnings(config: Config) -> list[str]:
    """Why others may refuse this machine's certificate. Raises ConfigError."""
    files = _own_files(config)
    return [] if files is None else files.warnings()


def _caller_tls(config: Config) -> CallerTls | None:
    table: RemoteTable = config.engine_settings(REMOTE)
    if table.tls_ca:
        return CallerTls(_path(config, "tls_ca"), f"{_PATH}.tls_ca", _own_files(config))
    for key in ("tls_cert", "tls_client_ca"):
        if getattr(table, key):
            raise ConfigError(f"Expected `tls_ca` beside it, or no TLS - at `{_PATH}.{key}`")
    return None


def _path(config: Config, key: str) -> Path:
    table: RemoteTable = config.engine_settings(REMOTE)
    return configured_path(getattr(table, key), config.base_dir, f"{_PATH}.{key}")


def check_token(token: str, host: str) -> None:
    """Raises ConfigError if other machines than this one reach ``host``, and no token is asked."""
    if token and len(token) < _SHORTEST_TOKEN:
        raise ConfigError(
            f"the token has fewer than {_SHORTEST_TOKEN} characters, which can be guessed; make "
            f"one by `openssl rand -hex 32` - at `{_PATH}.token`"
        )
    try:
        is_ours = is_loopback(host)
    except (OSError, ValueError):
        is_ours = False
    if not token and not is_ours:
        raise ConfigError(
            f"{host} is beyond this machine, so a token is needed, the same on all machines: make "
            f"one by `openssl rand -hex 32` - at `{_PATH}.token`"
        )


_SHORTEST_TOKEN = 16


@hookimpl
def tfaas_register_engines() -> Mapping[str, EngineFactory]:
    return {REMOTE: RemoteEngineFactory()}
