"""What nobody should have raised while the server starts, as one sentence."""

from __future__ import annotations

import logging

from tfaas_core.errors import StartupError, TfaasError

_log = logging.getLogger("tfaas.start")


def start_error(what: str, error: BaseException) -> StartupError:
    """The error that ends the start, because ``what`` could not start; logs where it came from."""
    if isinstance(error, StartupError):
        return error
    if isinstance(error, TfaasError):
        return StartupError(f"{what} cannot start: {error.message}")
    _log.error("%s cannot start", what, exc_info=error)
    reason = f"{type(error).__name__}: {error}".removesuffix(": ")
    return StartupError(f"{what} cannot start: {reason} (the log shows where)")
