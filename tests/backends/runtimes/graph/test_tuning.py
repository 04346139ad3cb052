"""A model gets as many threads as run it clearly faster."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from tfaas_backends.runtimes.graph import tuning
from tfaas_backends.runtimes.graph.servable import GraphServable
from tfaas_backends.runtimes.tensorflow.session import GraphSession

from tfaas_core.errors import Unavailable
from tfaas_core.tensors import Array, BatchAxis, Signature, TensorSpec

ROWS = TensorSpec("x", "float32", (None, 2))


class Clock:
    """Goes on by what runs take, however busy the machine is."""

    now_s = 0.0

    def perf_counter(self) -> float:
        return self.now_s

    monotonic = perf_counter


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(tuning, "time", clock)
    return clock


class TimedSession(GraphSession):
    """Takes as long for two rows, and for one, as it is told, and computes nothing."""

    def __init__(self, clock: Clock, run_s: float, row_s: float | None = None) -> None:
        self._clock, self._run_s = clock, run_s
        self._row_s = run_s / 2 if row_s is None else row_s
        self.is_open = True

    def run(self, inputs: Sequence[Array], place: int = 0) -> list[Array]:
        is_row = bool(inputs) and len(inputs[0]) == 1
        self._clock.now_s += self._row_s if is_row else self._run_s
        return []

    def close(self) -> None:
        self.is_open = False


class Tuned:
    """A model that was tuned, on so many cores, with ``sessions`` by their threads."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, cores: int, sessions: dict[int, TimedSession]
    ) -> None:
        monkeypatch.setattr(tuning, "_cores", lambda: cores)
        signature = Signature((ROWS,), (), BatchAxis.FREE)
        self._sessions = sessions
        self.servable = GraphServable(self._opened, sessions[1], signature, False, tunable=True)
        self.servable.tune([np.ones((2, 2), np.float32)])

    def _opened(self, threads: int) -> GraphSession:
        if threads not in self._sessions:
            raise Unavailable("there is not enough memory to load the model")
        return self._sessions[threads]

    @property
    def open_ones(self) -> list[int]:
        return [threads for threads, session in self._sessions.items() if session.is_open]


def test_without_memory_for_a_rival_there_is_none(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    assert Tuned(monkeypatch, 2, {1: TimedSession(clock, 0.0095)}).open_ones == [1]


@pytest.mark.parametrize(("rival_s", "wins"), [(0.001, True), (0.009, False), (0.02, False)])
def test_the_faster_session_is_kept_and_the_other_closed(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, rival_s: float, wins: bool
) -> None:
    sessions = {1: TimedSession(clock, 0.0095), 2: TimedSession(clock, rival_s)}
    tuned = Tuned(monkeypatch, 2, sessions)
    assert tuned.open_ones == [1 + wins]
    tuned.servable.close()
    assert tuned.open_ones == []


def test_a_lone_row_is_not_slowed_down(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    sessions = {1: TimedSession(clock, 0.1, 0.05), 2: TimedSession(clock, 0.06, 0.055)}
    assert Tuned(monkeypatch, 2, sessions).open_ones == [1]


def test_twice_as_many_threads_are_tried_as_long_as_that_is_faster(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    durations_s = {1: 0.1, 2: 0.06, 4: 0.04, 8: 0.039, 12: 0.01}
    sessions = {threads: TimedSession(clock, run_s) for threads, run_s in durations_s.items()}
    tuned = Tuned(monkeypatch, 12, sessions)
    assert tuned.servable.threads == 4
    assert tuned.open_ones == [4, 12]  # the last one was never asked for


def test_after_a_while_no_further_number_of_threads_is_tried(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    sessions = {n: TimedSession(clock, 3 / n) for n in (1, 2, 4)}
    assert Tuned(monkeypatch, 4, sessions).open_ones == [2, 4]  # the last was never asked for
