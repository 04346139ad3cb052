"""The access log, a plugin: a line for what is refused or changed, and what happens to models; and
for each answer, if ``[plugins.access_log]`` asks for it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Annotated, Literal, Self

from msgspec import Meta, Struct

from tfaas_core.config import Config
from tfaas_core.configured_path import configured_path
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.observer import Observer
from tfaas_plugins.access_log.log import (
    AccessLog,
    AuditLog,
    EventLog,
    Lines,
    SharedAccessLog,
    handler_of,
)
from tfaas_plugins.access_log.monit import MonitLog

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
    format: Literal["", "text", "json", "monit"] = ""
    """Of lines in the file; empty: ``server.log_format``. ``monit``: those for answers are the
    records of the original TFaaS, and all others go to stderr."""
    share: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """Of answers, how many have a line; what is refused or changed has one in any case."""


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
            table: AccessLogTable = host.settings(NAME)
            kind = table.format if table.format in ("text", "json") else ""
            handler = handler_of(path, kind or host.config.server.log_format)
            open_.enter_context(closing(handler))
        logs = host.shared[NAME] = _Logs.of(host, handler)
        open_.enter_context(closing(logs.audit))
        yield


@hookimpl
def tfaas_register_observers(host: Host) -> Iterable[Observer]:
    """Registers what the table asks for."""
    table: AccessLogTable = host.settings(NAME)
    logs: _Logs = host.shared.get(NAME) or _Logs.of(host)
    if table.events:
        yield EventLog(logs.audit.lines)
    if table.enabled and table.format == "monit":
        yield MonitLog(logs.records, table.share)
    elif table.enabled and table.share == 1:
        yield AccessLog(logs.audit.lines)
        return
    elif table.enabled:
        yield SharedAccessLog(logs.audit, table.share, table.events)
        return
    if table.events:
        yield logs.audit


class _Logs(Struct, frozen=True):
    """``audit`` writes lines, and ``records`` takes those of MONIT."""

    audit: AuditLog
    records: logging.Handler

    @classmethod
    def of(cls, host: Host, handler: logging.Handler | None = None) -> Self:
        table: AccessLogTable = host.settings(NAME)
        if table.format == "monit":
            return cls(AuditLog(Lines()), handler or logging.StreamHandler())
        return cls(AuditLog(Lines(handler)), logging.NullHandler())


def _file(config: Config) -> Path | None:
    table: AccessLogTable = config.settings(NAME)
    if not (table.file and (table.enabled or table.events)):
        return None
    return configured_path(table.file, config.base_dir, f"$.plugins.{NAME}.file")
