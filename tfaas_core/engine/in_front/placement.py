"""Placement: which host serves which model, by its name alone."""

from __future__ import annotations

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
        self._hosts = tuple(hosts)

    def _order(self, model: str) -> tuple[int, ...]:
        weights = [_weight(host, model) for host in self._hosts]
        return tuple(sorted(range(len(weights)), key=weights.__getitem__, reverse=True))


def _weight(host: str, model: str) -> bytes:
    return blake2b(f"{host}\0{model}".encode(), digest_size=8).digest()
