"""Placement: which hosts serve which model, by its name alone, as far as they have room."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b

MOST_FULL = 8
"""So many hosts of a model's order may be without room before the first one has to make some."""


class Placement:
    """Rendezvous hashing: every HTTP worker of every server finds the same, and asks nobody.

    If a host goes, only its models move, to the next host in the order of each; if it comes back,
    they do.
    """

    def __init__(self, hosts: Sequence[str]) -> None:
        self.order = lru_cache(10_000)(self._order)
        """The places of the hosts in the list, in the order in which they serve a model."""
        # What the hashes of all models begin with.
        self._hosts = [blake2b(f"{host}\0".encode(), digest_size=8) for host in hosts]

    def _order(self, model: str) -> Sequence[int]:
        name, weights = model.encode(), []
        for host in self._hosts:
            weight = host.copy()
            weight.update(name)
            weights.append(weight.digest())
        # As a tuple, those of ten thousand models on a thousand hosts would take 290 MB.
        return array("I", sorted(range(len(weights)), key=weights.__getitem__, reverse=True))


def chosen(
    order: Iterable[int],
    replicas: int,
    is_there: Callable[[int], bool],
    is_full: Callable[[int], bool],
) -> list[int]:
    """The places of so many hosts, the first ones of a model's order that are there, with room.

    If there is no room at MOST_FULL of them, or at all, it is the first one alone.
    """
    found: list[int] = []
    full: list[int] = []
    for place in order:
        if is_there(place):
            (full if is_full(place) else found).append(place)
            if len(found) == replicas or len(full) == MOST_FULL:
                break
    return found or full[:1]
