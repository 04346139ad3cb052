"""Shortage: the error where the system has not given the engine what it needs."""

from __future__ import annotations

from tfaas_core.errors import SEE_LOG, Unavailable


def short_of(error: OSError, doing: str) -> Unavailable:
    """``doing`` is like ``load model 'vk'``: too many files are open, or there is no memory."""
    reason = error.strerror or type(error).__name__
    return Unavailable(f"the engine cannot {doing} at the moment: {reason}; try again{SEE_LOG}")
