"""The access log, a plugin: a line for what is refused or changed, and what happens to models; and
for each answer, if ``[plugins.access_log]`` asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path

from msgspec import Struct

from tfaas_core.config import Config
from tfaas_core.configured_path import configured_path
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.observer import Observer
from tfaas_plugins.access_log.log import AccessLog, AuditLog, EventLog, Lines, handler_of

NAME = "access_log"


class AccessLogTable(Struct, frozen=True):
    """``[plugins.access_log]``: lines for answers, and for what happens to models."""

    enabled: bool = False
    """Whether there is a line for each answer."""
    events: bool = True
    """Whether there is a line for each refused request, each that is to change something, and each
    version that goes live, is loaded or unloaded, or crashes."""
    file: str = ""
    """The file that they are added to, which log rotation may move away; empty: stderr."""


@hookimpl
def tfaas_config_sections() -> Mapping[str, type[Struct]]:
    """The table ``[plugins.access_log]``."""
    return {NAME: AccessLogTable}


@hookimpl
def tfaas_register_written(config: Config) -> Iterable[Path]:
    """The file, if there is one: log rotation may move it away, and it is made anew."""
    path = _file(config)
    return [] if path is None else [path]


@hookimpl
@asynccontextmanager
async def tfaas_lifespan(host: Host) -> AsyncIterator[None]:
    """Holds the file open while the worker serves."""
    path = _file(host.config)
    with ExitStack() as open_:
        handler = None
        if path is not None:
            handler = handler_of(path, host.config.server.log_format)
            open_.enter_context(closing(handler))
        log = host.shared[NAME] = AuditLog(Lines(handler))
        open_.enter_context(closing(log))
        yield


@hookimpl
def tfaas_register_observers(host: Host) -> Iterable[Observer]:
    """Registers what the table asks for."""
    table: AccessLogTable = host.settings(NAME)
    audit: AuditLog = host.shared.get(NAME) or AuditLog(Lines())
    if table.enabled:
        yield AccessLog(audit.lines)
    if table.events:
        yield EventLog(audit.lines)
    if table.events and not table.enabled:
        yield audit


def _file(config: Config) -> Path | None:
    table: AccessLogTable = config.settings(NAME)
    if not (table.file and (table.enabled or table.events)):
        return None
    return configured_path(table.file, config.base_dir, f"$.plugins.{NAME}.file")
