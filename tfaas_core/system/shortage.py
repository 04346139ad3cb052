"""Shortage: what the system has not given this process at the moment, as errors tell it."""

from __future__ import annotations

import errno

_LACKING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)


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
