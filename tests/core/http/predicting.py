"""A host whose models answer what they are sent, doubled, without any process or TensorFlow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path

from tfaas_core.composition import Composition
from tfaas_core.config import load_config
from tfaas_core.engine.resting import RestingEngine
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.storage import MODEL
from tfaas_core.tensors import Array, TensorSpec
from tfaas_core.testing.models import model_version
from tfaas_core.worker_place import WorkerPlace

ROW_OF_3 = TensorSpec("x", "float32", (None, 3))


class Doubling(RestingEngine):
    """``runs`` counts them."""

    def __init__(self) -> None:
        self.runs = 0

    def run(
        self, version: ModelVersion, inputs: Sequence[Array], rows: int, whole: bool = False
    ) -> Awaitable[list[Array]]:
        return self._run(inputs)

    async def _run(self, inputs: Sequence[Array]) -> list[Array]:
        self.runs += 1
        return [inputs[0] * 2]


def doubling_host(folder: Path, *settings: str, engine: Doubling | None = None) -> Host:
    """A host of the model ``vk``, whose versions 1 and 2 take rows of 3 float32."""
    settings = (f"storage.root={folder / 'models'}", *settings)
    composition = Composition.of(load_config(overrides=settings, environ={}))
    host = Host(composition, engine or Doubling(), WorkerPlace())
    host.storage.open()
    version = model_version([ROW_OF_3], [TensorSpec("y", "float32", (None, 3))], version=0)
    for _ in range(2):
        with host.storage.claim("vk") as claim:
            staging = host.storage.stage()
            (staging / MODEL).write_bytes(b"a graph")
            host.storage.commit(claim, staging, version)
    asyncio.run(host.catalog.load())
    return host
