"""Tuning: with how many threads a session runs a graph the fastest."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from statistics import median

from tfaas_backends.runtimes.tensorflow.session import GraphSession
from tfaas_core.errors import TfaasError
from tfaas_core.system.resources.cores import usable_cores
from tfaas_core.tensors import Array, BatchAxis, Signature

_WORTH_TUNING_S = 0.0003
_CLEARLY_FASTER = 0.85
_TUNING_RUNS = 7
_TUNING_BUDGET_S = 0.5
_LONGEST_S = 5.0
"""Thereafter, no further number of threads is tried."""

_CORES = usable_cores()
"""Found out by the fork server, as it imports this: a model's process sees no quotas."""


def tuned(
    session: GraphSession,
    open_session: Callable[[int], GraphSession],
    inputs: Sequence[Array],
    signature: Signature,
) -> tuple[GraphSession, int]:
    """The session that runs these inputs the fastest, and its threads; all others are closed.

    ``session`` has one. Twice as many are tried as long as that is faster by a clear margin, and
    not slower for the first row, since clients that wait for each answer send one at a time; up to
    one a core. If there is no memory for another session, none is tried.
    """
    threads, end_s = 1, time.monotonic() + _LONGEST_S
    if _cores() == 1 or _duration_s(session, inputs) < _WORTH_TUNING_S:
        return session, threads
    while threads < _cores() and time.monotonic() < end_s:
        more = min(2 * threads, _cores())
        try:
            rival = open_session(more)
        except TfaasError:
            break
        try:
            if not _is_faster(rival, session, inputs, signature):
                break
            session, rival, threads = rival, session, more
        finally:
            rival.close()
    return session, threads


def _cores() -> int:
    return min(_CORES, len(os.sched_getaffinity(0)))


def _is_faster(
    rival: GraphSession, session: GraphSession, inputs: Sequence[Array], signature: Signature
) -> bool:
    try:
        if _share(rival, session, inputs) >= _CLEARLY_FASTER:
            return False
    except TfaasError:  # there is no memory for its runs
        return False
    if signature.batch is not BatchAxis.FREE:
        return True
    row = [
        array[:1] if spec.shape is None or spec.shape[:1] == (None,) else array
        for spec, array in zip(signature.inputs, inputs, strict=True)
    ]
    try:
        return _share(rival, session, row) <= 1
    except TfaasError:  # the model takes no such row
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
