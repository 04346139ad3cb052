"""RayTable: what ``[engine.ray]`` says."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from tfaas_core.settings.tables import CountOrAuto, PositiveInt, Table

RAY = "ray"
PATH = f"$.engine.{RAY}"
ADDRESS = r"^(|auto|(ray://)?[^:/\s]+:[0-9]{1,5}|(ray://)?\[[0-9A-Fa-f:.%]+\]:[0-9]{1,5})$"
NAMESPACE = "tfaas"
"""Of all actors of TFaaS, in Ray's words."""


class RayTable(Table, frozen=True):
    """``[engine.ray]``: the Ray cluster, and its nodes that run models."""

    address: Annotated[str, Meta(pattern=ADDRESS)] = ""
    """The cluster: like ``ray://10.0.0.1:10001``, from anywhere; on one of its machines also like
    ``10.0.0.1:6379``, or auto; empty: the server starts a Ray of its own, on this machine alone."""
    name: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,63}$")] = "tfaas"
    """Servers of one name share hosts; those of others have hosts of their own."""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8090
    """Where each host listens, at the address of its node; 0: any free port. A Ray of the server's
    own takes any."""
    resource: str = ""
    """Only nodes that have this custom resource run a host; empty: all that have room for one."""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    """Only nodes that have all these labels run a host."""
    num_cpus: Annotated[float, Meta(ge=0)] = 1.0
    """What a host takes of its node's CPUs, as Ray counts them."""
    num_gpus: Annotated[float, Meta(ge=0)] = 0.0
    """What a host takes of its node's GPUs; its models see no others."""
    memory_bytes: Annotated[int, Meta(ge=0)] = 0
    """What a host takes of its node's memory, as Ray counts it."""
    min_hosts: PositiveInt = 1
    """How many hosts there are at least, if max_hosts is set."""
    max_hosts: CountOrAuto = 0
    """How many hosts Ray's autoscaler is asked for at most, as models need them; 0: it is asked for
    none, and each node that can have a host has one."""
    rows_per_host: PositiveInt = 64
    """Of rows that wait or run, so many are enough for a further host, if max_hosts is set."""
    start_limit_s: Annotated[float, Meta(gt=0, le=3_600)] = 60.0
    """How long a server that starts waits for the cluster, and for the first host."""
