"""Shortage: what the system has not given this process at the moment, as errors tell it."""

from __future__ import annotations

import errno

_NO_FILES = (errno.EMFILE, errno.ENFILE)
_LACKING = (*_NO_FILES, errno.ENOMEM, errno.EAGAIN)
_NO_THREAD = "can't start new thread"


def shortage_in(error: BaseException) -> OSError | None:
    """What tells that there was no descriptor, memory or process to be had; None: nothing does.

    That is ``error`` itself, or what it was raised because of.
    """
    seen: set[int] = set()
    reason: BaseException | None = error
    while reason is not None and id(reason) not in seen:
        if isinstance(reason, OSError) and reason.errno in _LACKING:
            return reason
        seen.add(id(reason))
        reason = reason.__cause__ or reason.__context__
    return None


def lack_of(error: BaseException, where: str) -> str:
    """A clause: what the process ``where`` lacks, as ``error`` itself says; empty: nothing."""
    if isinstance(error, MemoryError):
        return f"{where} has not enough memory for it at the moment"
    if isinstance(error, RuntimeError) and str(error) == _NO_THREAD:
        return f"{where} cannot start a thread at the moment"
    if not isinstance(error, OSError) or error.errno not in _LACKING:
        return ""
    if error.errno in _NO_FILES:
        return f"too many files are open in {where}"
    if error.errno == errno.ENOMEM:
        return f"{where} has not enough memory for it at the moment"
    return f"{where} cannot start a thread or process at the moment"
