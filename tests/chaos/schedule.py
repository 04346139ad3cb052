"""The schedule: which faults strike one after another, drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator

import msgspec

from tests.chaos.fault import Fault
from tests.chaos.outside_faults import OUTSIDE_FAULTS
from tests.chaos.process_faults import KILLS, PROCESS_FAULTS, STOPS
from tests.chaos.target import Target

FAULTS = {fault.name: fault for fault in (*PROCESS_FAULTS, *OUTSIDE_FAULTS)}

_PAUSE_S = (0.2, 1.0)
_AT_ONCE = 0.25
"""How often a SIGKILL comes with a fault, or a SIGSTOP with another one."""

_ALONE = ("kill the parent, start again", "stop everything for a while")
"""Of these, nothing else is to be killed."""


class Step(msgspec.Struct, frozen=True):
    """Faults that strike together after a pause; each pick is for a fault's ``strike``."""

    pause_s: float
    faults: list[str]
    picks: list[float]


class Deck:
    """Deals faults so that each kind has come once before any comes again."""

    def __init__(self, seed: int, kinds: Collection[str] = tuple(FAULTS)) -> None:
        self._random = random.Random(seed)
        self._kinds = list(kinds)
        self._left: list[str] = []

    def steps(self, target: Target) -> Iterator[Step]:
        """Those that ``target`` can have, without an end; the next target gets the others first."""
        possible = [name for name in self._kinds if not FAULTS[name].why_not(target)]
        while possible:
            name = next((name for name in self._left if name in possible), "")
            if name:
                self._left.remove(name)
                yield self._step(name)
            else:
                self._left += self._random.sample(self._kinds, len(self._kinds))

    def _step(self, name: str) -> Step:
        kills, stops = ([fault.name for fault in faults] for faults in (KILLS, STOPS))
        others = [*kills, *stops] if name in (*kills, *stops) else kills
        names = [name]
        if self._random.random() < _AT_ONCE and name not in _ALONE:
            names.append(self._random.choice(others))
        pause_s = round(self._random.uniform(*_PAUSE_S), 3)
        return Step(pause_s, names, [round(self._random.random(), 3) for _ in names])


def faults_of(step: Step) -> list[Fault]:
    """Those that its names stand for."""
    return [FAULTS[name] for name in step.faults]
