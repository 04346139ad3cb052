"""Progress: how much of a long copy is done, for whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Advance: TypeAlias = Callable[[int], object]
"""Is told how many further bytes were read or copied."""


def untold(_count: int) -> None:
    """Does nothing: nobody watches."""
