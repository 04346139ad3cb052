"""Settings: what a pool and its parts are told about the server."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tfaas_core.events import Tell, tell_nobody
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
    options: LoadOptions
    run_limit_s: float
    owners: Mapping[str, str] = {}
    suspects: Mapping[str, str] = {}
    tell: Tell = tell_nobody
