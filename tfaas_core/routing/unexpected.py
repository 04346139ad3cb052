"""Unexpected: what nobody should have raised, logged and told; and what ends a request instead."""

from __future__ import annotations

import asyncio
import errno
import logging

from tfaas_core.errors import SEE_LOG, TfaasError, Unavailable, plugin_failed

_NO_MORE_FILES = (errno.EMFILE, errno.ENFILE)

_log = logging.getLogger("tfaas.http")


def unexpected(what: str, exception: BaseException, owner: str = "", model: str = "") -> TfaasError:
    """Logs what nobody should have raised while doing ``what``, and gives what a client is told.

    ``owner`` is the module of the plugin that is to blame, if one is, ``model`` the model whose
    request it was, if that is known. Nobody is to blame if this process may
    open no more files: that may happen wherever something is opened or imported.
    """
    if isinstance(exception, OSError) and exception.errno in _NO_MORE_FILES:
        _log.warning("%s failed: %s", what, exception)
        return Unavailable("too many files are open in this HTTP worker; try again")
    if owner:
        told = plugin_failed(owner, what, exception, model)
        _log.error("%s", told.message.removesuffix(SEE_LOG), exc_info=exception)
        return told
    _log.error("%s failed", what, exc_info=exception)
    return TfaasError("the server failed; this is a bug, please report it")


def is_given_up(error: BaseException) -> bool:
    """Whether ``error`` says that this task is to end, rather than what a plugin raised."""
    if not isinstance(error, asyncio.CancelledError | GeneratorExit):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return True
    return task is None or task.cancelling() > 0
