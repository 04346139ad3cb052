"""An attack: what it attacks, and what stops it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec


class Targets(msgspec.Struct, frozen=True):
    """``folder`` belongs to the victim, whose number is ``victim``, and to nobody else. As nice as
    that is, ``niceness``, it shall be afterwards, too: it runs the tests.

    It holds ``canary``, which its owner alone may read, ``other``, the artifact of another model,
    and ``named``, a Unix socket that listens. ``everybody`` is a folder that all may write to.
    ``own`` is the attacker's own artifact, a folder. ``port`` is one that listens.
    """

    folder: str
    everybody: str
    own: str
    victim: int
    niceness: int
    port: int
    abstract: str
    memory_bytes: int


class Attack(msgspec.Struct, frozen=True):
    """``layers`` are those that stop it, each by itself."""

    attempt: Callable[[Targets], object]
    layers: frozenset[str]


ATTACKS: dict[str, Attack] = {}

Attempt: TypeAlias = Callable[[Targets], object]


def stopped_by(*layers: str) -> Callable[[Attempt], Attempt]:
    def enter(attempt: Attempt) -> Attempt:
        ATTACKS[attempt.__name__] = Attack(attempt, frozenset(layers))
        return attempt

    return enter


def outcome(name: str, targets: Targets) -> str:
    """What stopped an attack; "succeeded" if nothing did."""
    try:
        ATTACKS[name].attempt(targets)
    except (OSError, MemoryError) as error:
        return f"stopped by {type(error).__name__}: {error}"
    return "succeeded"
