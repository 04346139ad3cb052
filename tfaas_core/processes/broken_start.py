"""What nobody should have raised while the server starts, as one sentence."""

from __future__ import annotations

import logging

from tfaas_core.errors import SEE_LOG, StartupError, TfaasError
from tfaas_core.plugins.finding import find
from tfaas_core.routing.culprit import culprit

_log = logging.getLogger("tfaas.start")


def start_error(what: str, error: BaseException) -> StartupError:
    """The error that ends the start, because ``what`` could not start; logs where it came from.

    If that is a plugin's code, the error names the plugin.
    """
    if isinstance(error, StartupError):
        return error
    if isinstance(error, TfaasError):
        return StartupError(f"{what} cannot start: {error.message}")
    plugin = culprit(error, {plugin.module for plugin, _import in find()})
    said = f"{what} cannot start: plugin {plugin} failed" if plugin else f"{what} cannot start"
    _log.error("%s", said, exc_info=error)
    reason = f"{type(error).__name__}: {error}".removesuffix(": ")
    return StartupError(f"{said}: {reason}{SEE_LOG}")
