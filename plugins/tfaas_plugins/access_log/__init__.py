"""The access log, a plugin: a line for each answer, if ``[plugins.access_log]`` asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, closing

from msgspec import Struct

from tfaas_core.configured_path import configured_path
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.observer import Observer
from tfaas_plugins.access_log.log import AccessLog, handler_of

NAME = "access_log"


class AccessLogTable(Struct, frozen=True):
    """``[plugins.access_log]``: a line for each answer."""

    enabled: bool = False
    """Whether there are such lines."""
    file: str = ""
    """The file that they are added to, which log rotation may move away; empty: stderr."""


@hookimpl
def tfaas_config_sections() -> Mapping[str, type[Struct]]:
    """The table ``[plugins.access_log]``."""
    return {NAME: AccessLogTable}


@hookimpl
@asynccontextmanager
async def tfaas_lifespan(host: Host) -> AsyncIterator[None]:
    """Holds the file open while the worker serves."""
    table: AccessLogTable = host.settings(NAME)
    if not (table.enabled and table.file):
        yield
        return
    path = configured_path(table.file, host.config.base_dir, f"$.plugins.{NAME}.file")
    with closing(handler_of(path, host.config.server.log_format)) as handler:
        host.shared[NAME] = handler
        yield


@hookimpl
def tfaas_register_observers(host: Host) -> Iterable[Observer]:
    """Registers the access log, if it is enabled."""
    if host.settings(NAME).enabled:
        yield AccessLog(host.shared.get(NAME))
