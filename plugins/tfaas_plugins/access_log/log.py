"""AccessLog: an observer that writes a line for each answer."""

from __future__ import annotations

import logging
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Literal

import msgspec

from tfaas_core.errors import ConfigError
from tfaas_core.observer import Answered, Observer
from tfaas_core.system.logs import formatter

_LONGEST_PATH = 500


class AccessLog(Observer):
    """Logs as ``tfaas.access``, whatever the server's level is; to ``handler``, or else stderr."""

    def __init__(self, handler: logging.Handler | None = None) -> None:
        self._log = logging.Logger("tfaas.access", logging.INFO)
        self._log.parent = logging.getLogger()
        if handler is not None:
            self._log.addHandler(handler)
            self._log.propagate = False

    def answered(self, answer: Answered) -> None:
        """Adds a line. Raises OSError if it cannot be written."""
        self._log.info("%s", _line(answer), extra=_fields(answer))


class _File(WatchedFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        raise


def handler_of(path: Path, log_format: Literal["text", "json"]) -> logging.Handler:
    """What adds lines to a file; raises ConfigError if it cannot be opened."""
    try:
        handler = _File(path, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be opened: {error.strerror} - at `$.plugins.access_log.file`"
        ) from None
    handler.setFormatter(formatter(log_format))
    return handler


def _line(answer: Answered) -> str:
    """As people read it. What a client sent cannot break it."""
    path = answer.path[:_LONGEST_PATH].encode("unicode_escape").decode()
    words = [answer.client.ip or "-", answer.method, path, str(answer.status)]
    named = {
        "as": answer.identity,
        "code": answer.code,
        "codec": answer.codec,
        "model": answer.model,
        "version": answer.version,
        "rows": answer.rows,
        "in": _bytes(answer.request_bytes),
        "out": _bytes(answer.answer_bytes),
        "took": _ms(answer.duration_s),
        "wait": _ms(answer.wait_s),
        "run": _ms(answer.run_s),
    }
    words += [f"{key}={value}" for key, value in named.items() if value not in ("", None)]
    return " ".join(words)


def _bytes(size: int | None) -> str:
    return "" if size is None else f"{size}B"


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.3f}ms"


def _fields(answer: Answered) -> dict[str, object]:
    """The keys of a JSON line; what is not known is left out."""
    fields = msgspec.structs.asdict(answer) | {"client": answer.client.ip}
    return {key: value for key, value in fields.items() if value not in ("", None)}
