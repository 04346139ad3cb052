"""A host whose models answer what they are sent, doubled, without any process or TensorFlow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path

import msgspec

from tfaas_core.config import load_config
from tfaas_core.engine.beginning import AwaitingRows, BeginsRuns
from tfaas_core.engine.resting import RestingEngine
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion, OtherSignature
from tfaas_core.storage import MODEL, Storage
from tfaas_core.tensors import Array, TensorSpec
from tfaas_core.testing.models import model_version
from tfaas_core.visit import Timing
from tfaas_core.wiring.composition import Composition
from tfaas_core.wiring.worker_place import WorkerPlace

_INPUTS = {"picture": (None, 1, 3, 1), "vk": (None, 3), "two": (None, 3), "neither": (None, 3)}
"""The shape of each model's input."""

_NAMES = {"two": "serving_default", "neither": "a"}
"""Of the first signature of those that have another one."""


class Doubling(RestingEngine, BeginsRuns):
    """``runs`` counts them, and ``begun`` those of them that nobody has waited for."""

    def __init__(self) -> None:
        self.runs = self.begun = 0
        self.beginning = self

    def begin(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        awaiting: AwaitingRows,
        timing: Timing | None = None,
    ) -> bool:
        self.begun += 1
        outputs = self._outputs(inputs)
        asyncio.get_running_loop().call_soon(awaiting.set_rows, outputs, 0, rows)
        return True

    def run(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        whole: bool = False,
        timing: Timing | None = None,
        any_shape: bool = False,
    ) -> Awaitable[list[Array]]:
        return self._run(inputs)

    async def _run(self, inputs: Sequence[Array]) -> list[Array]:
        return self._outputs(inputs)

    def _outputs(self, inputs: Sequence[Array]) -> list[Array]:
        self.runs += 1
        return [inputs[0].reshape(-1, 3) * 2]


def doubling_host(folder: Path, *settings: str, engine: Doubling | None = None) -> Host:
    """A host of versions 1 and 2 of the default model ``vk``, for rows of 3, and of ``picture``.

    ``two`` and ``neither`` are as ``vk``, but have two signatures each, of which ``two`` has one
    that answers unless a request names the other.
    """
    settings = (f"storage.root={folder / 'models'}", "models.default=vk", *settings)
    composition = Composition.of(load_config(overrides=settings, environ={}))
    host = Host(composition, engine or Doubling(), WorkerPlace())
    host.storage.open()
    for name in [*_INPUTS, *_INPUTS]:
        _store(host.storage, name)
    asyncio.run(host.catalog.load())
    return host


def _store(storage: Storage, name: str) -> None:
    inputs = [TensorSpec("x", "float32", _INPUTS[name])]
    outputs = [TensorSpec("y", "float32", (None, 3))]
    version = model_version(inputs, outputs, version=0)
    if first := _NAMES.get(name):
        signatures = [
            msgspec.structs.replace(version.signature, name=each) for each in (first, "b")
        ]
        others = (OtherSignature(signatures[1], True),)
        version = msgspec.structs.replace(version, signature=signatures[0], others=others)
    with storage.claim(name) as claim:
        staging = storage.stage()
        (staging / MODEL).write_bytes(b"a graph")
        storage.commit(claim, staging, version)
