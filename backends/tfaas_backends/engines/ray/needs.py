"""Needs: what a host takes of its node, and which nodes have that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tfaas_backends.engines.ray.table import RayTable

_A_LITTLE = 0.001
"""Of a custom resource that says where hosts belong."""


class Needs(msgspec.Struct, frozen=True):
    """``resources``: how much of each, by Ray's names; ``labels``: those of its node."""

    resources: dict[str, float]
    labels: dict[str, str]

    @classmethod
    def of(cls, table: RayTable) -> Needs:
        """As the configuration has it."""
        found = {"CPU": table.num_cpus, "GPU": table.num_gpus, "memory": float(table.memory_bytes)}
        if table.resource:
            found[table.resource] = _A_LITTLE
        return cls({name: amount for name, amount in found.items() if amount}, table.labels)

    def are_met_by(self, node: Mapping[str, Any]) -> bool:
        """Whether a node, as ``ray.nodes`` shows it, lives, and is large enough for a host."""
        has, labels = node.get("Resources") or {}, node.get("Labels") or {}
        return (
            bool(node.get("Alive"))
            and all(has.get(name, 0) >= amount for name, amount in self.resources.items())
            and all(labels.get(name) == value for name, value in self.labels.items())
        )

    @property
    def options(self) -> dict[str, Any]:
        """For an actor that is a host, as Ray has them."""
        rest = dict(self.resources)
        return {
            "num_cpus": rest.pop("CPU", 0),
            "num_gpus": rest.pop("GPU", 0),
            "memory": rest.pop("memory", None),
            "resources": rest,
        }
