"""Tuning: whether a session with more threads runs a graph faster."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from statistics import median

from tfaas_backends.runtimes.tensorflow.session import GraphSession
from tfaas_core.errors import TfaasError
from tfaas_core.tensors import Array, BatchAxis, Signature

_WORTH_TUNING_S = 0.0003
_CLEARLY_FASTER = 0.85
_TUNING_RUNS = 7
_TUNING_BUDGET_S = 0.5


def cores() -> int:
    """How many threads can run at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_worth_tuning(session: GraphSession, inputs: Sequence[Array]) -> bool:
    """Whether a run lasts so long that threads can share it."""
    return _duration_s(session, inputs) >= _WORTH_TUNING_S


def is_faster(
    rival: GraphSession, session: GraphSession, inputs: Sequence[Array], signature: Signature
) -> bool:
    """Whether ``rival`` is clearly faster for these inputs, and not slower for their first row.

    Clients that wait for each answer send one row at a time.
    """
    if _share(rival, session, inputs) >= _CLEARLY_FASTER:
        return False
    if signature.batch is not BatchAxis.FREE:
        return True
    row = [
        array[:1] if spec.shape is None or spec.shape[:1] == (None,) else array
        for spec, array in zip(signature.inputs, inputs, strict=True)
    ]
    try:
        return _share(rival, session, row) <= 1
    except TfaasError:  # it takes no such row
        return True


def _share(rival: GraphSession, session: GraphSession, inputs: Sequence[Array]) -> float:
    """How long ``rival`` takes, as a share of what the other takes.

    Measures both in turn, so that what else the machine does slows down both.
    """
    rival.run(inputs)
    durations_s: list[tuple[float, float]] = []
    end_s = time.perf_counter() + _TUNING_BUDGET_S
    while len(durations_s) < _TUNING_RUNS and (not durations_s or time.perf_counter() < end_s):
        durations_s.append((_duration_s(rival, inputs), _duration_s(session, inputs)))
    of_rival_s, of_session_s = zip(*durations_s, strict=True)
    return float(median(of_rival_s) / median(of_session_s))


def _duration_s(session: GraphSession, inputs: Sequence[Array]) -> float:
    start_s = time.perf_counter()
    session.run(inputs)
    return time.perf_counter() - start_s
