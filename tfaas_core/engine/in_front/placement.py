"""Placement: which host serves which model, by its name alone."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b


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
