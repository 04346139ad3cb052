"""Parts: what the protocol's paths and its calls have in common, over one Host."""

from __future__ import annotations

import msgspec

from tfaas_core.host import Host
from tfaas_core.shared_memory import SharedMemory
from tfaas_plugins.protocols.oip.control import RepositoryApi
from tfaas_plugins.protocols.oip.facts import Facts
from tfaas_plugins.protocols.oip.inference import Inference
from tfaas_plugins.protocols.oip.statistics import Statistics
from tfaas_plugins.protocols.unloaded import UnloadedModels


class Parts(msgspec.Struct, frozen=True):
    """All count, and note what is unloaded, in the memory that the HTTP workers share."""

    unloaded: UnloadedModels
    facts: Facts
    inference: Inference
    repository: RepositoryApi

    @classmethod
    def of(cls, host: Host, memory: SharedMemory, has_control: bool) -> Parts:
        """``has_control``: whether models may be loaded and unloaded."""
        unloaded, statistics = UnloadedModels(memory), Statistics(memory)
        return cls(
            unloaded,
            Facts(host, unloaded, statistics, has_control),
            Inference(host, unloaded, statistics),
            RepositoryApi(host, unloaded, has_control),
        )
