"""Logs: records on stderr, as text or as JSON objects, of which each is one line."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from importlib.metadata import entry_points
from itertools import chain
from pathlib import Path
from typing import Any, Literal

_TREES = ("tfaas", "sanic")
_PLUGINS = "tfaas"
"""The group of their entry points. They are not imported here, nor is what imports them."""

_SANIC = ("sanic.root", "sanic.error", "sanic.access", "sanic.server", "sanic.websockets")
_STANDARD = {*logging.makeLogRecord({}).__dict__, "message", "asctime"}


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: time (UTC), level, logger, process, message, extras, exception.

    What ``extra`` gave to the logging call stands beside these keys, but replaces none of them.
    """

    def format(self, record: logging.LogRecord) -> str:
        document: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        extras = {k: v for k, v in record.__dict__.items() if k not in _STANDARD}
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(extras | document, default=str)


class _Handler(logging.StreamHandler[Any]):
    """Ours, so that configuring again can tell it from handlers that others have set."""


def formatter(format: Literal["text", "json"]) -> logging.Formatter:
    """What makes a line of a record, and more of them of a traceback in a text."""
    if format == "json":
        return JsonFormatter()
    return logging.Formatter("%(asctime)s %(levelname)s %(name)s[%(process)d]: %(message)s")


def configure(
    level: Literal["debug", "info", "warning", "error"],
    format: Literal["text", "json"],
    *folders: Path,
) -> None:
    """Sends records from ``level`` up to stderr: of ``tfaas``, of Sanic, but no access log, and of
    the loggers that are called like the top-level modules of plugins, or below: of those that are
    installed, and of those in ``folders``.

    Of all other loggers, and of Python's warnings, what is a warning or worse goes there too, so
    that nothing stands between the JSON objects. May be called again.
    """
    handler = _Handler()
    handler.setFormatter(formatter(format))
    root = logging.getLogger()
    root.handlers = [h for h in root.handlers if not isinstance(h, _Handler)] + [handler]
    root.setLevel(logging.WARNING)
    for name in {*_TREES, *_plugin_modules(), *chain.from_iterable(map(_modules_in, folders))}:
        logging.getLogger(name).setLevel(level.upper())
    for name in _SANIC:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.NOTSET)
    logging.getLogger("sanic.access").disabled = True
    logging.captureWarnings(True)


def _plugin_modules() -> set[str]:
    values = (entry.value for entry in entry_points(group=_PLUGINS))
    # An empty name would be that of the root logger, and so everybody's.
    return {value.partition(":")[0].partition(".")[0].strip() for value in values} - {""}


def _modules_in(folder: Path) -> set[str]:
    """What the plugins in ``folder`` are called, and what they import from there."""
    try:
        names = {path.stem for path in folder.iterdir()}
    except OSError:
        return set()  # whoever imports them says so
    return {name for name in names if name.isidentifier()}
