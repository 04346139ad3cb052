"""What processes cost, for whoever asks again and again."""

from __future__ import annotations

import os

import pytest

from tfaas_core.system.resources import memory
from tfaas_core.system.resources.memory import KnownMemory, private_bytes

OWN, OTHER = os.getpid(), os.getppid()


class Looks:
    """Each look takes half a second of a core; nobody has to wait for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s, self._spent_s = 1000.0, 0.0
        self.at: list[int] = []
        monkeypatch.setattr(memory, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(memory, "thread_time", lambda: self._spent_s)
        monkeypatch.setattr(memory, "private_bytes", self._look)

    def _look(self, pid: int) -> int | None:
        self.at.append(pid)
        self._spent_s += 0.5
        return private_bytes(pid)


def test_looking_takes_a_twentieth_of_a_core_however_often_one_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks, known = Looks(monkeypatch), KnownMemory()
    for _second in range(60):
        for _asker in range(100):
            assert (known.of((OWN,))[OWN] or 0) > 1_000_000
        looks.now_s += 1
    assert len(looks.at) * 0.5 <= 60 / 20 + 0.5


def test_what_is_new_is_looked_at_at_once_and_what_grows_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks, known = Looks(monkeypatch), KnownMemory()
    known.of((OWN,))
    assert known.of((OWN, OTHER), growing=(OTHER,)).keys() == {OWN, OTHER}
    known.of((OWN, OTHER))
    known.of((OWN, OTHER))
    assert looks.at == [OWN, OTHER, OTHER]
