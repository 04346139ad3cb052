"""A session with a thread a core is taken if it is clearly faster."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import numpy as np
import pytest
from tfaas_backends.runtimes.graph.servable import GraphServable
from tfaas_backends.runtimes.tensorflow.session import GraphSession

from tfaas_core.errors import Unavailable
from tfaas_core.tensors import Array, BatchAxis, Signature, TensorSpec


class TimedSession(GraphSession):
    """Takes as long for a run, and for one of one row, as it is told, and computes nothing."""

    def __init__(self, run_s: float, row_s: float = 0.0) -> None:
        self.run_s, self.row_s = run_s, row_s
        self.is_open = True

    def run(self, inputs: Sequence[Array], place: int = 0) -> list[Array]:
        time.sleep(self.row_s if inputs and len(inputs[0]) == 1 else self.run_s)
        return []

    def close(self) -> None:
        self.is_open = False


def test_tuning_does_without_a_rival_for_which_there_is_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)

    def short(threads: int) -> GraphSession:
        raise Unavailable("there is not enough memory to load the model")

    first = TimedSession(0.0095)
    servable = GraphServable(short, first, Signature((), (), BatchAxis.NONE), False, tunable=True)
    servable.tune([])
    assert first.is_open


@pytest.mark.parametrize(("rival_s", "wins"), [(0.001, True), (0.009, False), (0.02, False)])
def test_tuning_keeps_the_faster_session_and_closes_the_other(
    monkeypatch: pytest.MonkeyPatch, rival_s: float, wins: bool
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    first, rival = TimedSession(0.0095), TimedSession(rival_s)
    servable = GraphServable(
        {2: rival}.__getitem__, first, Signature((), (), BatchAxis.NONE), False, tunable=True
    )
    servable.tune([])
    assert (first.is_open, rival.is_open) == (not wins, wins)
    servable.close()
    assert not first.is_open
    assert not rival.is_open


def test_tuning_slows_down_no_lone_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    first, rival = TimedSession(0.1, row_s=0.001), TimedSession(0.001, row_s=0.1)
    signature = Signature((TensorSpec("x", "float32", (None, 2)),), (), BatchAxis.FREE)
    servable = GraphServable({2: rival}.__getitem__, first, signature, False, tunable=True)
    servable.tune([np.ones((2, 2), np.float32)])
    assert (first.is_open, rival.is_open) == (True, False)
