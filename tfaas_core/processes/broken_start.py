"""What nobody should have raised while the server starts or runs, as one sentence."""

from __future__ import annotations

import logging

from tfaas_core.config import Config
from tfaas_core.errors import SEE_LOG, StartupError, TfaasError
from tfaas_core.plugins.finding import modules_of
from tfaas_core.plugins.owned_part import PartFailedError
from tfaas_core.routing.culprit import culprit
from tfaas_core.system.output.one_line import described

_log = logging.getLogger("tfaas.start")


def start_error(what: str, error: BaseException, config: Config) -> StartupError:
    """The error that ends the server, because of ``what``; logs where it came from.

    ``what`` is like "the server cannot start". If ``error`` comes from a plugin's code, the
    sentence names the plugin, one of those that ``config`` has.
    """
    if isinstance(error, StartupError):
        return error
    if isinstance(error, TfaasError):
        return StartupError(f"{what}: {error.message}")
    if isinstance(error, PartFailedError):
        said, error = f"{what}: {error}", error.__cause__ or error
    else:
        plugin = culprit(error, modules_of(config))
        failed = f"plugin {plugin} failed: " if plugin else ""
        said = f"{what}: {failed}{described(error)}"
    _log.error("%s", said, exc_info=error)
    return StartupError(f"{said}{SEE_LOG}")
