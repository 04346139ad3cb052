"""Logs: one line a record on stderr, as text or as a JSON object."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Literal

_TREES = ("tfaas", "sanic")
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
    """What makes a line of a record."""
    if format == "json":
        return JsonFormatter()
    return logging.Formatter("%(asctime)s %(levelname)s %(name)s[%(process)d]: %(message)s")


def configure(
    level: Literal["debug", "info", "warning", "error"], format: Literal["text", "json"]
) -> None:
    """Sends the records of ``tfaas`` and of Sanic from ``level`` up to stderr, but no access log.

    Of all other loggers, and of Python's warnings, what is a warning or worse goes there too, so
    that nothing stands between the JSON objects. May be called again.
    """
    handler = _Handler()
    handler.setFormatter(formatter(format))
    root = logging.getLogger()
    root.handlers = [h for h in root.handlers if not isinstance(h, _Handler)] + [handler]
    root.setLevel(logging.WARNING)
    for name in _TREES:
        logging.getLogger(name).setLevel(level.upper())
    for name in _SANIC:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.NOTSET)
    logging.getLogger("sanic.access").disabled = True
    logging.captureWarnings(True)
