"""Settings: what a pool and its parts are told about the server."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tfaas_core.engine.base import Candidate
from tfaas_core.engine.in_parent.modes.modes import Modes
from tfaas_core.events import Tell, tell_nobody
from tfaas_core.models.instances import Instances
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions


class PoolSettings(msgspec.Struct, frozen=True):
    """``run_limit_s``: a run that lasts longer is beyond every deadline; its process is killed.

    ``one_process``: whether all models share one, as far as their runtimes preload the same.
    ``owners`` and ``tell``: see EngineContext, as for ``suspects``: what its ``suspect`` tells of
    each runtime.
    """

    workers: int
    one_process: bool
    max_loaded_models: int
    max_memory_bytes: int
    options: LoadOptions
    run_limit_s: float
    owners: Mapping[str, str] = {}
    suspects: Mapping[str, str] = {}
    tell: Tell = tell_nobody
    instances: Instances = 1
    """Of models whose params do not say it."""
    modes: Modes | None = None
    """Which modes of their runtimes models are run in; None: the usual ones."""

    def instances_of(self, candidate: Candidate) -> Instances:
        """How many processes it may have at most. Raises DoesNotFit if its params are wrong."""
        if self.one_process:
            return 1
        return Params.of(candidate.params).instances or self.instances
