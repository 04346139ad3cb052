"""A fault: how it strikes, for how long it lasts, and what is expected of the server meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from tests.chaos.target import Target

Lift: TypeAlias = Callable[[], None]
"""Ends what a fault has done."""

Strike: TypeAlias = Callable[[Target, float], Lift]
"""Does it; the number, from 0 to 1, says to which of several, or how. What it returns is called
once it has lasted. AssertionError: the server did what it ought not to."""

KILL_LIMIT_S = 2.0
STOP_LIMIT_S = 10.0
AWAY_LIMIT_S = 4.0
"""Of a storage that is back: a second or two until it is seen, and a load."""

RESETS = frozenset({"reset"})
LOST = frozenset({"503"})
LATE = frozenset({"503", "504"})


def nothing() -> None:
    """There is nothing to end."""


class Fault(msgspec.Struct, frozen=True):
    """``allowed``: what requests may come to, beside an answer, until all is well again.

    ``limit_s``: for recovery, once it is over; None: it is only measured. ``keeps_from_learning``:
    workers may not be able to learn of changes meanwhile. ``why_not`` tells why a target cannot
    have it; empty: it can. ``during`` looks, while it lasts, what the server does: a sentence for
    each thing that is wrong.
    """

    name: str
    strike: Strike
    allowed: frozenset[str] = frozenset()
    limit_s: float | None = KILL_LIMIT_S
    lasts_s: float = 0.0
    keeps_from_learning: bool = False
    why_not: Callable[[Target], str] = lambda target: ""
    during: Callable[[Target], str] = lambda target: ""
