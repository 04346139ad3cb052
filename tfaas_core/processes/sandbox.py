"""What confines models, found out by the parent."""

from __future__ import annotations

import logging

from tfaas_core.composition import Composition
from tfaas_core.errors import StartupError

_log = logging.getLogger("tfaas.parent")


def sandbox_of(composition: Composition) -> dict[str, str]:
    """Of each part, what it is made of, or MISSING and why; empty if a plugin cannot tell."""
    try:
        return composition.sandbox()
    except StartupError as error:
        _log.error("%s", error.message, exc_info=error)
        return {}
