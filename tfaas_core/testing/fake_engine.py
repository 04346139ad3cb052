"""An Engine for tests: it runs models in the process, in the event loop, one run at a time.

It has no queue, no batches and no limits of time: what depends on those needs a running server.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path

import numpy as np

from tfaas_core.engine.base import (
    Candidate,
    Engine,
    EngineContext,
    EngineFactory,
    Loaded,
    ServableStatus,
    Supervisor,
    WorkerContext,
)
from tfaas_core.models.model import ModelVersion, OtherSignature
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Servable
from tfaas_core.tensors import Array, BatchAxis
from tfaas_core.visit import Timing


class FakeEngine(Engine):
    """Runs each request alone; a version that nobody has given it is loaded by its runtime.

    ``runs`` are the inputs of each run, by the name of the model.
    """

    tells_runs = True

    def __init__(self) -> None:
        self.runs: list[tuple[str, Sequence[Array]]] = []
        self._context: WorkerContext | None = None
        self._loaded: dict[str, Servable] = {}
        self._prepared: dict[int, Servable] = {}
        self._tickets = itertools.count(1)

    def give(self, version: ModelVersion, servable: Servable) -> None:
        """What answers for a stored version."""
        self._loaded[version.key] = servable

    def attach(self, context: WorkerContext) -> FakeEngine:
        """The engine itself, once it knows the runtimes and where artifacts are."""
        self._context = context
        return self

    async def start(self) -> None:
        """Has nothing to start."""

    async def close(self) -> None:
        for servable in [*self._loaded.values(), *self._prepared.values()]:
            servable.close()
        self._loaded.clear()
        self._prepared.clear()

    async def prepare(self, candidate: Candidate) -> Loaded:
        servable = self._load(candidate.runtime, Path(candidate.path), candidate.params)
        ticket = next(self._tickets)
        self._prepared[ticket] = servable
        independence = servable.independence()
        mergeable = independence.proven and servable.signature.batch is BatchAxis.FREE
        reason = independence.reason
        others = tuple(OtherSignature(each.signature, False) for each in servable.others.values())
        declared = dict(servable.declared)
        return Loaded(
            ticket, servable.signature, mergeable, reason, servable.stateful, others, declared
        )

    async def run_prepared(
        self,
        ticket: int,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        whole: bool = False,
    ) -> list[Array]:
        return _run(self._prepared[ticket], inputs, rows, whole)

    async def adopt(self, ticket: int, version: ModelVersion) -> None:
        servable = self._prepared.pop(ticket)
        if servable.stateful:
            servable.reset()
        self._loaded[version.key] = servable

    def discard(self, ticket: int) -> None:
        self._prepared.pop(ticket).close()

    def run(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        whole: bool = False,
        timing: Timing | None = None,
        any_shape: bool = False,
    ) -> Awaitable[list[Array]]:
        return self._run(version, inputs, rows, whole, timing)

    async def ready(self, version: ModelVersion) -> bool:
        is_new = version.key not in self._loaded
        return is_new and not self._of(version).stateful

    def uses(self, version: ModelVersion) -> bool:
        return version.key in self._loaded

    async def servables(self) -> list[ServableStatus]:
        return [ServableStatus(key, "ready", None, None, 0, 0.0) for key in sorted(self._loaded)]

    def retire(self, version: ModelVersion) -> None:
        if (servable := self._loaded.pop(version.key, None)) is not None:
            servable.close()

    async def _run(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        whole: bool,
        timing: Timing | None,
    ) -> list[Array]:
        await asyncio.sleep(0)  # others get their turn, as with any engine
        begin_s = time.monotonic()
        self.runs.append((version.name, inputs))
        servable = self._of(version)
        if version.place:
            servable = servable.others[version.signature.name]
        outputs = _run(servable, inputs, rows, whole)
        if timing is not None:
            timing.wait_s, timing.run_s = 0.0, time.monotonic() - begin_s
            timing.run_rows = rows
        return outputs

    def _of(self, version: ModelVersion) -> Servable:
        if version.key not in self._loaded:
            assert self._context is not None, "the engine belongs to no host"
            artifact = self._context.artifact(version)
            self._loaded[version.key] = self._load(version.runtime, artifact, version.params)
        return self._loaded[version.key]

    def _load(self, runtime: str, artifact: Path, params: dict[str, object]) -> Servable:
        assert self._context is not None, "the engine belongs to no host"
        found = self._context.runtimes[runtime]
        return found.load(artifact, Params.of(params), LoadOptions(threads=1))


class FakeEngineFactory(EngineFactory):
    """Gives the one engine."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    def supervisor(self, context: EngineContext) -> Supervisor | None:
        return None

    def engine(self, context: WorkerContext) -> Engine:
        return self._engine.attach(context)


def _run(servable: Servable, inputs: Sequence[Array], rows: int, whole: bool) -> list[Array]:
    if servable.signature.batch is not BatchAxis.ONE or whole or rows < 2:
        return servable.run(inputs)
    runs = [servable.run([array[n : n + 1] for array in inputs]) for n in range(rows)]
    return [
        pieces[0] if spec.constant else np.concatenate(pieces)
        for spec, *pieces in zip(servable.signature.outputs, *runs, strict=True)
    ]
