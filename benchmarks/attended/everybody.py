"""A plugin in one file: a guard that admits everybody, and an observer that counts.

``python -m benchmarks.trees . --set plugins.dir=$PWD/benchmarks/attended`` tells what they cost.
"""

from __future__ import annotations

from collections.abc import Iterable

from tfaas_core import Answered, Asking, Guard, Observer, hookimpl


class Everybody(Guard):
    """Admits whoever asks."""

    def admit(self, asking: Asking) -> str:
        return ""


class Counting(Observer):
    """Counts the answers of an HTTP worker."""

    def __init__(self) -> None:
        self.count = 0

    def answered(self, answer: Answered) -> None:
        self.count += 1


@hookimpl
def tfaas_register_guards() -> Iterable[Guard]:
    """Registers the one that admits everybody."""
    return [Everybody()]


@hookimpl
def tfaas_register_observers() -> Iterable[Observer]:
    """Registers the one that counts."""
    return [Counting()]
