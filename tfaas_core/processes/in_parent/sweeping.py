"""Sweeping: what killed processes left in the storage is removed."""

from __future__ import annotations

import logging

from tfaas_core.errors import TfaasError
from tfaas_core.wiring.composition import Composition

_log = logging.getLogger("tfaas.parent")


def sweep_storage(composition: Composition) -> None:
    """At the start, and whenever an HTTP worker has died. Blocks. What fails is logged."""
    part = composition.storage_part
    try:
        part.start("sweeping", composition.storage.sweep)
    except TfaasError as error:
        # What was left half-done takes room, and is in nobody's way.
        _log.warning("the model storage was not cleaned up: %s", error.message)
