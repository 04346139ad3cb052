"""A short chaos: each kind of fault once. How long recovery may take is for ``make chaos``.

Here other tests share the cores, so a recovery may take the 30 s of ``until``; all else holds.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos.run import Run
from tests.chaos.schedule import FAULTS, Step
from tests.chaos.target import STORAGES, Target

SEED = 20261129

STEPS: dict[str, list[list[str]]] = {
    "filesystem": [
        ["kill model process", "kill other process"],
        ["kill HTTP worker", "uploads half-sent"],
        ["kill fork server", "uploads cut by a reset"],
        ["storage taken away"],
        ["kill the parent, start again"],
    ],
    "sqlite": [
        ["no descriptors: parent"],
        ["no descriptors: HTTP worker", "no descriptors: fork server"],
        ["disk full", "wall clock jumps"],
        ["database locked"],
        ["no descriptors: model process", "stop the parent for a while"],
    ],
    "postgresql": [
        ["stop HTTP worker", "stop model process", "stop fork server"],
        ["database down"],
        ["database crashes", "stop an other process for a while"],
        ["database stopped"],
        ["stop everything for a while"],
    ],
}
"""What strikes together, in turn."""

PACE = 0.4


def test_each_kind_of_fault_is_there() -> None:
    steps = [names for all_ in STEPS.values() for names in all_]
    assert sorted(name for names in steps for name in names) == sorted(FAULTS)
    assert list(STEPS) == list(STORAGES)


# Its processes are found by the variables that they were started with.
@pytest.mark.fresh_python
@pytest.mark.parametrize("storage", STORAGES)
def test_nothing_is_lost_or_wrong_or_left_and_all_recovers(storage: str, tmp_path: Path) -> None:
    target = Target(storage, tmp_path)
    picks = random.Random(SEED)
    with target.prepared():
        possible = [
            [name for name in names if not FAULTS[name].why_not(target)] for names in STEPS[storage]
        ]
        steps = [Step(0.2, names, [picks.random() for _ in names]) for names in possible if names]
        told = Run(target, SEED, limits=False, pace=PACE).play(steps)
    assert told.wrong == []
    assert told.lost == []
    assert told.orphans == []
    assert told.breaches == []
    assert [struck.step for struck in told.struck] == steps
    assert told.outcomes["prediction 200"] > 100
    assert told.outcomes["upload 200"] > 5
