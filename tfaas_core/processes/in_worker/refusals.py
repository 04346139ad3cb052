"""Refusals: what the log adds to an error of a plugin that the sandbox of HTTP workers explains."""

from __future__ import annotations

import errno
import logging
from typing import Any

_HINT = (
    "HTTP workers are confined: they change no files but those that the storage and plugins name, "
    "and start no programs. If this one has to, see server.writable and server.programs."
)
_REFUSED = (errno.EPERM, errno.EACCES, errno.EXDEV)


def explain_refusals() -> None:
    """From now on, what is logged with such an error has the hint behind its traceback."""
    make = logging.getLogRecordFactory()

    def explained(*arguments: Any, **named: Any) -> logging.LogRecord:
        record = make(*arguments, **named)
        if record.exc_info:
            _explain(record.exc_info[1])
        return record

    logging.setLogRecordFactory(explained)


def _explain(error: BaseException | None) -> None:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        is_refused = isinstance(error, OSError) and error.errno in _REFUSED
        if is_refused and _HINT not in getattr(error, "__notes__", ()):
            error.add_note(_HINT)
        error = error.__cause__ or error.__context__
