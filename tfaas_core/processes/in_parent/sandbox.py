"""What confines models and HTTP workers, found out by the parent."""

from __future__ import annotations

import logging

import msgspec

from tfaas_core.errors import StartupError
from tfaas_core.wiring.composition import Composition
from tfaas_core.wiring.worker_sandbox import WorkerSandbox

_log = logging.getLogger("tfaas.parent")


class Sandboxes(msgspec.Struct, frozen=True):
    """``models``: of each part, what it is made of, or MISSING and why; empty if a plugin cannot
    tell."""

    models: dict[str, str]
    workers: WorkerSandbox

    @classmethod
    def of(cls, composition: Composition) -> Sandboxes:
        """Raises StartupError if HTTP workers cannot be confined as they have to be."""
        return cls(_of_models(composition), WorkerSandbox.of(composition))

    @property
    def parts(self) -> dict[str, dict[str, str]]:
        """The parts of each, by whom they confine."""
        return {"models": self.models, "HTTP workers": self.workers.parts}


def _of_models(composition: Composition) -> dict[str, str]:
    try:
        return composition.sandbox()
    except StartupError as error:
        _log.error("%s", error.message, exc_info=error)
        return {}
