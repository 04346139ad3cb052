"""Settings: what a pool and its parts are told about the server."""

from __future__ import annotations

import msgspec

from tfaas_core.config import SlowPriority


class PoolSettings(msgspec.Struct, frozen=True):
    """``run_limit_s``: a run that lasts longer is beyond every deadline; its process is killed.

    ``one_process``: whether all models share one. ``busy_poll_s`` and ``slow_priority``: see
    ``ServableLoop`` and ``Pace``.
    """

    workers: int
    one_process: bool
    max_loaded_models: int
    max_batch_rows: int
    threads: int
    busy_poll_s: float
    slow_priority: SlowPriority
    run_limit_s: float
