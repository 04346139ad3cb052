"""Parts: what the protocol's paths and its calls have in common, over one Host."""

from __future__ import annotations

import msgspec

from tfaas_core.host import Host
from tfaas_core.shared_memory import SharedMemory
from tfaas_plugins.protocols.oip.inference import Inference
from tfaas_plugins.protocols.oip.models.control import RepositoryApi
from tfaas_plugins.protocols.oip.models.facts import Facts
from tfaas_plugins.protocols.oip.models.models import OipModels
from tfaas_plugins.protocols.oip.models.statistics import Statistics
from tfaas_plugins.protocols.unloaded import UnloadedModels


class Parts(msgspec.Struct, frozen=True):
    """All count, and note what is unloaded, in the memory that the HTTP workers share."""

    models: OipModels
    facts: Facts
    inference: Inference
    repository: RepositoryApi

    @classmethod
    def of(cls, host: Host, memory: SharedMemory, unloaded: UnloadedModels | None) -> Parts:
        """``unloaded``: None if no model may be loaded and unloaded."""
        models, statistics = OipModels(host), Statistics(memory, host.worker)
        return cls(
            models,
            Facts(models, statistics, has_control=unloaded is not None),
            Inference(models, statistics),
            RepositoryApi(models, unloaded),
        )
