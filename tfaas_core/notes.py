"""Notes: what somebody has worked out of an object that many requests share, kept with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar


class HasNotes(Protocol):
    """An object that does not change, and so what was worked out of it holds while it lives."""

    @property
    def notes(self) -> dict[Any, Any]:
        """What ``noted`` keeps."""
        ...


N = TypeVar("N", bound=HasNotes)
T = TypeVar("T")


def noted(owner: N, make: Callable[[N], T]) -> T:
    """What ``make`` makes of ``owner``, made once; what it raises is not kept.

    Threads may share it: at worst, two of them make the same. ``make`` is the key, so it must be
    the same object each time: a class, say, and not a lambda.
    """
    notes = owner.notes
    found: T | None = notes.get(make)
    if found is None:
        found = notes[make] = make(owner)
    return found
