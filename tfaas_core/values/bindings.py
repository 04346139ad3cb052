"""Bindings: what a codec works out of each version beforehand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from tfaas_core.models.model import ModelVersion

_MOST_BINDINGS = 256

B = TypeVar("B")


class Bindings(Generic[B]):
    """What a codec works out of each version beforehand, kept for as long as it is in use.

    Threads may share it: at worst, two of them work out the same.
    """

    def __init__(self, make: Callable[[ModelVersion], B]) -> None:
        self._make = make
        self._kept: dict[int, tuple[ModelVersion, B]] = {}

    def of(self, version: ModelVersion) -> B:
        """What ``make`` made of this version."""
        # By identity, as a record holds a dict and so has no hash. While a version is kept, no
        # other one has the same id.
        kept = self._kept.get(id(version))
        if kept is None:
            if len(self._kept) >= _MOST_BINDINGS:
                self._kept.clear()
            kept = self._kept[id(version)] = version, self._make(version)
        return kept[1]
