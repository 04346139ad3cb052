"""What confines models and HTTP workers: the parent finds out, and warns of what is missing."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from tfaas_core.composition import Composition
from tfaas_core.engine.base import MISSING
from tfaas_core.errors import StartupError
from tfaas_core.worker_sandbox import WorkerSandbox

_log = logging.getLogger("tfaas.parent")


def sandbox_of(composition: Composition) -> dict[str, str]:
    """Of each part, what it is made of, or MISSING and why; empty if a plugin cannot tell."""
    try:
        found = composition.sandbox()
    except StartupError as error:
        _log.error("%s", error.message, exc_info=error)
        return {}
    _warn("models", found)
    return found


def worker_sandbox_of(composition: Composition) -> WorkerSandbox:
    """How HTTP workers are to be confined. Raises StartupError."""
    found = WorkerSandbox.of(composition)
    _warn("HTTP workers", found.parts)
    return found


def _warn(who: str, parts: Mapping[str, str]) -> None:
    for name, what in parts.items():
        if what.startswith(MISSING):
            _log.warning("%s are not confined by `%s`: %s", who, name, what.removeprefix(MISSING))
