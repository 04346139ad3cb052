from __future__ import annotations

import time

from tfaas_core.engine.scheduling.pace import Pace
from tfaas_core.engine.scheduling.slow_runs import SlowRuns
from tfaas_core.testing.children import apart


def test_a_short_run_does_not_make_the_next_one_due_soon() -> None:
    assert apart(_due_after_a_short_run_in_s) > 0.15


def _due_after_a_short_run_in_s() -> float:
    pace = Pace("low", SlowRuns.create())
    for busy_s in (0.02, 0.02, 0.02, 0.02, 0):
        pace.run_begins()
        end_s = time.process_time() + busy_s
        while time.process_time() < end_s:
            pass
        pace.run_ends()
    return (pace.run_begins() - time.monotonic_ns()) / 1e9
