"""What confines models, found out by the parent, which warns of what is missing."""

from __future__ import annotations

import logging

from tfaas_core.composition import Composition
from tfaas_core.engine.base import MISSING
from tfaas_core.errors import StartupError

_log = logging.getLogger("tfaas.parent")


def sandbox_of(composition: Composition) -> dict[str, str]:
    """Of each part, what it is made of, or MISSING and why; empty if a plugin cannot tell."""
    try:
        found = composition.sandbox()
    except StartupError as error:
        _log.error("%s", error.message, exc_info=error)
        return {}
    for name, what in found.items():
        if what.startswith(MISSING):
            _log.warning("models are not confined by `%s`: %s", name, what.removeprefix(MISSING))
    return found
