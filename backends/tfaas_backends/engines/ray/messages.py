"""What is told of hosts: by the controller, to the parent, and by it to HTTP workers."""

from __future__ import annotations

import msgspec


class Hosts(msgspec.Struct, frozen=True, tag=True):
    """``addresses``: where hosts listen; ``whys``: why nodes that should have one have none.

    ``token``: what their doors ask for; empty: what is configured. ``replicas``: which models are
    to have several hosts, and how many; None: that is not known yet, and stays as it is.
    """

    addresses: tuple[str, ...] = ()
    whys: tuple[str, ...] = ()
    token: str = ""
    replicas: dict[str, int] | None = None


class Failed(msgspec.Struct, frozen=True, tag=True):
    """There is no way to the cluster, for this reason, which is a sentence."""

    why: str


class HostState(msgspec.Struct, frozen=True):
    """Where a host listens, if it does, and if not, why."""

    address: str = ""
    why: str = ""
