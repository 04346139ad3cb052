"""Requests of a client that takes none of its answers wait no longer than any others."""

from __future__ import annotations

import socket
import time

from tfaas_core.engine.in_model_process.origin import Origin
from tfaas_core.engine.in_model_process.runner import runners
from tfaas_core.engine.in_model_process.signed import Signed
from tfaas_core.engine.in_model_process.waiting_frames import WaitingFrame, WaitingFrames
from tfaas_core.engine.in_model_process.warming.warmup import Warmed
from tfaas_core.engine.in_model_process.worker_connection import BEHIND_BYTES, WorkerConnection
from tfaas_core.engine.scheduling.pace import Pace
from tfaas_core.engine.scheduling.slow_runs import SlowRuns
from tfaas_core.engine.shared.frames import RequestFrame
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.errors import DeadlinePassed, TfaasError
from tfaas_core.runtime import LoadOptions
from tfaas_core.testing.engine_harness import rows_of
from tfaas_core.testing.function_servable import FunctionServable
from tfaas_core.testing.waiting import until


def test_what_is_held_until_it_is_too_late_is_told_so() -> None:
    failed: dict[int, type[TfaasError]] = {}

    def fail(waiting: WaitingFrame, error: TfaasError) -> None:
        failed[waiting.frame.id] = type(error)

    servable = FunctionServable(lambda rows: rows)
    signed = Signed(servable, Warmed(servable.signature, mergeable=True))
    pace, meter = Pace("normal", SlowRuns.create()), Meter.create(1)
    (runner,) = runners([signed], LoadOptions(), meter, pace, Origin())
    assert runner is not None
    ours, theirs = socket.socketpair()
    with ours, theirs:
        behind, waiting = WorkerConnection(ours), WaitingFrames(fail)
        behind.send(bytes(2 * BEHIND_BYTES))
        assert not behind.takes_more
        now_s = time.monotonic()
        for number, deadline_s in enumerate((now_s + 0.2, now_s + 300)):
            frame = RequestFrame(number, deadline_s, [1], 1, [rows_of(number)])
            waiting.add(behind, frame, runner)
        assert not waiting.take()
        assert not waiting  # both are held
        until(lambda: not waiting.take() and bool(failed))
        assert failed == {0: DeadlinePassed}
        waiting.resume(behind)
        assert len(waiting) == 1
    pace.close()
    meter.close()
