"""AccessLog, AuditLog and EventLog: observers that write a line for each answer, for those that
matter, and for each event."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from logging.handlers import WatchedFileHandler
from pathlib import Path

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
from tfaas_core.system.output.logs import formatter
from tfaas_plugins.access_log.flood import WINDOW_S, Flood

UPLOADS = ("/upload", "/bundle")
"""The routes that store a model."""

_LONGEST = 500
"""Of a path, or a name, in characters."""

_log = logging.getLogger("tfaas.access_log")

_SHORT = {"duration_s": "took", "identity": "as", "size_bytes": "size"} | {
    "address": "from",
    "request_id": "id",
}
"""What fields of events are called in a text."""


class Lines:
    """Logs as ``tfaas.access``, whatever the server's level is; to ``handler``, or else stderr."""

    def __init__(self, handler: logging.Handler | None = None) -> None:
        self._log = logging.Logger("tfaas.access", logging.INFO)
        self._log.parent = logging.getLogger()
        if handler is not None:
            self._log.addHandler(handler)
            self._log.propagate = False

    def add(self, line: str, fields: Mapping[str, object]) -> None:
        """``fields``: the keys of a JSON line. Raises OSError if it cannot be written."""
        known = {key: _cut(value) for key, value in _known(fields).items()}
        self._log.info("%s", line, extra=known)


class AccessLog(Observer):
    """Adds a line for each answer."""

    needs_request_ids = True

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def answered(self, answer: Answered) -> None:
        """Adds a line, as ``Lines`` does."""
        self._lines.add(_line(answer), _fields(answer))


class AuditLog(Observer):
    """Adds a line for each refusal, and each request that was to change something.

    Of a stored upload, its event tells. There are no more lines of what was refused, or went wrong,
    than ``Flood`` lets through.
    """

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self._flood = Flood(self._tell_of_more)

    def audited(self, answer: Answered) -> None:
        """Adds a line, as ``Lines`` does."""
        if answer.status < 400:
            is_told = answer.route in UPLOADS
        else:
            is_told = not self._flood.takes(f"{answer.status} {answer.code}".strip())
        if not is_told:
            self.lines.add(_line(answer), _fields(answer))

    def close(self) -> None:
        """Tells of what was not written yet."""
        self._flood.close()

    def _tell_of_more(self, kind: str, more: int) -> None:
        line = f"and {more:,} more like it, {kind}, in the last {WINDOW_S:.0f} s"
        try:
            self.lines.add(line, {"event": "more", "kind": kind, "count": more})
        except OSError as error:
            _log.error("the access log cannot be written: %s", error)


class SharedAccessLog(Observer):
    """Adds a line for a share of all answers, and for each that ``audit`` would, none twice."""

    needs_request_ids = True

    def __init__(self, audit: AuditLog, share: float, audits: bool) -> None:
        """``audits``: whether there are those of ``audit`` at all."""
        self._audit = audit
        self._share = share
        self._audits = audits
        self._last: Answered | None = None

    def answered(self, answer: Answered) -> None:
        """Adds a line, as ``Lines`` does, or not."""
        self._last = None
        if random.random() < self._share:
            self._audit.lines.add(_line(answer), _fields(answer))
            self._last = answer

    def audited(self, answer: Answered) -> None:
        """Adds a line, if there is none yet; called right after ``answered``."""
        if self._audits and answer is not self._last:
            self._audit.audited(answer)


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
    if key in ("identity", "address", "request_id"):
        return _word(str(value))
    return repr(value) if key == "ending" else value


class _File(WatchedFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        raise


def handler_of(path: Path, log_format: str) -> logging.Handler:
    """What adds lines to a file; raises ConfigError if it cannot be opened."""
    try:
        handler = _File(path, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be opened: {error.strerror} - at `$.plugins.access_log.file`"
        ) from None
    handler.setFormatter(formatter("json" if log_format == "json" else "text"))
    return handler


def _line(answer: Answered) -> str:
    """As people read it. What a client sent cannot break it."""
    asked = answer.client.ip, _word(answer.method), _word(answer.path)
    words = [*(word or "-" for word in asked), str(answer.status)]
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
        "id": answer.request_id,
    }
    return " ".join(words) + _named(named)


def _fields(answer: Answered) -> dict[str, object]:
    return msgspec.structs.asdict(answer) | {"client": answer.client.ip}


def _cut(value: object) -> object:
    return value[:_LONGEST] if isinstance(value, str) else value


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
