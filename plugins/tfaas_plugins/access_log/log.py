"""AccessLog and EventLog: observers that write a line for each answer, or event."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Literal

import msgspec

from tfaas_core.errors import ConfigError
from tfaas_core.events import (
    ModelCrashed,
    ModelEvent,
    ModelLoaded,
    ModelSwitched,
    ModelUnloaded,
    ModelUploaded,
)
from tfaas_core.observer import Answered, Observer
from tfaas_core.system.logs import formatter

_LONGEST = 500
"""Of a path, or a name, in characters."""

_SHORT = {"duration_s": "took", "identity": "as", "size_bytes": "size"}
"""What fields of events are called in a text."""


class Lines:
    """Logs as ``tfaas.access``, whatever the server's level is; to ``handler``, or else stderr."""

    def __init__(self, handler: logging.Handler | None = None) -> None:
        self._log = logging.Logger("tfaas.access", logging.INFO)
        self._log.parent = logging.getLogger()
        if handler is not None:
            self._log.addHandler(handler)
            self._log.propagate = False

    def add(self, line: str, fields: dict[str, object]) -> None:
        """``fields``: the keys of a JSON line. Raises OSError if it cannot be written."""
        self._log.info("%s", line, extra=_known(fields))


class AccessLog(Observer):
    """Adds a line for each answer."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def answered(self, answer: Answered) -> None:
        """Adds a line, as ``Lines`` does."""
        fields = msgspec.structs.asdict(answer) | {"client": answer.client.ip}
        self._lines.add(_line(answer), fields)


class EventLog(Observer):
    """Adds a line for each event."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def uploaded(self, event: ModelUploaded) -> None:
        """Adds a line, as ``Lines`` does, and as all methods here do."""
        self._add("uploaded", event)

    def switched(self, event: ModelSwitched) -> None:
        self._add("switched", event)

    def loaded(self, event: ModelLoaded) -> None:
        self._add("loaded", event)

    def unloaded(self, event: ModelUnloaded) -> None:
        self._add("unloaded", event)

    def crashed(self, event: ModelCrashed) -> None:
        self._add("crashed", event)

    def _add(self, what: str, event: ModelEvent) -> None:
        fields = msgspec.structs.asdict(event)
        named = {_SHORT.get(key, key): _shown(key, value) for key, value in fields.items()}
        model = named.pop("model")
        self._lines.add(f"{what} {model}{_named(named)}", {"event": what} | fields)


def _shown(key: str, value: object) -> object:
    if value is None:
        return "none"
    if key == "duration_s":
        return f"{value:.3f}s"
    if key == "identity":
        return _word(str(value))
    return repr(value) if key == "ending" else value


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
    words = [answer.client.ip or "-", answer.method, _word(answer.path), str(answer.status)]
    named = {
        "as": _word(answer.identity),
        "code": answer.code,
        "codec": answer.codec,
        "model": _word(answer.model),
        "version": answer.version,
        "rows": answer.rows,
        "in": _bytes(answer.request_bytes),
        "out": _bytes(answer.answer_bytes),
        "took": _ms(answer.duration_s),
        "wait": _ms(answer.wait_s),
        "run": _ms(answer.run_s),
    }
    return " ".join(words) + _named(named)


def _word(text: str) -> str:
    """Without blanks and line ends, which would make other fields and lines of it."""
    return text[:_LONGEST].encode("unicode_escape").decode().replace(" ", r"\x20")


def _named(values: Mapping[str, object]) -> str:
    return "".join(f" {key}={value}" for key, value in _known(values).items())


def _known(values: Mapping[str, object]) -> dict[str, object]:
    """What is not known is left out."""
    return {key: value for key, value in values.items() if value not in ("", None)}


def _bytes(size: int | None) -> str:
    return "" if size is None else f"{size}B"


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.3f}ms"
