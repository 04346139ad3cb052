"""Unexpected: what nobody should have raised, logged and told; and what ends a request instead."""

from __future__ import annotations

import asyncio
import logging

from tfaas_core.errors import SEE_LOG, TfaasError, Unavailable
from tfaas_core.system.resources.shortage import lack_of

_log = logging.getLogger("tfaas.http")


def unexpected(what: str, exception: BaseException, owner: str = "", model: str = "") -> TfaasError:
    """Logs what nobody should have raised while doing ``what``, and gives what a client is told.

    ``owner`` is the module of the plugin that is to blame, if one is, ``model`` the model whose
    request it was, if that is known. Nobody is to blame if the system gives this
    process no more files, memory or threads: that may happen wherever something is opened,
    imported or begun.
    """
    if lack := lack_of(exception, "this HTTP worker"):
        _log.warning("%s failed: %s", what, str(exception) or lack)
        return Unavailable(f"{lack}; try again")
    if owner:
        told = plugin_failed(owner, what, exception, model)
        _log.error("%s", told.message.removesuffix(SEE_LOG), exc_info=exception)
        return told
    _log.error("%s failed", what, exc_info=exception)
    return TfaasError("the server failed; this is a bug, please report it")


def plugin_failed(plugin: str, doing: str, error: BaseException, model: str = "") -> TfaasError:
    """What a client is told if a plugin raises what it must not; the text of that is logged.

    ``plugin`` is its module, ``doing`` like ``encode of the codec 'csv'``.
    """
    of_model = f", for model {model!r}" if model else ""
    message = f"plugin {plugin} failed in {doing}{of_model}: {type(error).__name__}{SEE_LOG}"
    told = TfaasError(message, plugin=plugin, **({"model": model} if model else {}))
    told.is_logged = True
    return told


def is_given_up(error: BaseException) -> bool:
    """Whether ``error`` says that this task is to end, rather than what a plugin raised."""
    if not isinstance(error, asyncio.CancelledError | GeneratorExit):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return True
    return task is None or task.cancelling() > 0
