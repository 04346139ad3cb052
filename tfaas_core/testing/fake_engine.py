"""An Engine for tests: it runs models in the process, in the event loop, one run at a time.

It keeps to the contract of engines. But a run that crashes or hangs takes the test along, requests
share no run, and nothing is warmed up: what depends on that needs a running server.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

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
from tfaas_core.engine.in_model_process.origin import Origin
from tfaas_core.engine.in_model_process.runner import too_late
from tfaas_core.engine.in_worker.queue import queue_full
from tfaas_core.engine.shared.outputs import joined
from tfaas_core.errors import TfaasError
from tfaas_core.models.model import ModelVersion, OtherSignature
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Servable
from tfaas_core.tensors import Array, BatchAxis
from tfaas_core.visit import Timing

T = TypeVar("T")


class _Held:
    """A servable, how many runs need it, and when it was used last, as a number that grows."""

    def __init__(self, servable: Servable, is_given: bool = False) -> None:
        self.servable = servable
        self.is_given = is_given
        self.is_leaving = False
        self.users = 0
        self.used = 0


class FakeEngine(Engine):
    """Runs each request alone; a version that nobody has given it is loaded by its runtime.

    ``runs`` are the inputs of each run, by the name of the model.
    """

    tells_runs = True

    def __init__(self) -> None:
        self.runs: list[tuple[str, Sequence[Array]]] = []
        self._context: WorkerContext | None = None
        self._loaded: dict[str, _Held] = {}
        self._prepared: dict[int, Servable] = {}
        self._waiting_rows: Counter[str] = Counter()
        self._tickets = itertools.count(1)
        self._uses = itertools.count(1)
        self._open = 0

    def give(self, version: ModelVersion, servable: Servable) -> None:
        """What answers for a stored version. It makes no room for others."""
        self._loaded[version.key] = _Held(servable, is_given=True)
        self._open += 1

    def count_loaded(self) -> int:
        """How many models it holds: those of uploads, and those that only end their runs, too."""
        return self._open

    def attach(self, context: WorkerContext) -> FakeEngine:
        """The engine itself, once it knows the runtimes and where artifacts are."""
        self._context = context
        return self

    async def start(self) -> None:
        """Has nothing to start."""

    async def close(self) -> None:
        for held in self._loaded.values():
            self._close(held.servable)
        for servable in self._prepared.values():
            self._close(servable)
        self._loaded.clear()
        self._prepared.clear()

    async def prepare(self, candidate: Candidate) -> Loaded:
        origin = Origin(candidate.name, str(candidate))
        servable = self._load(origin, candidate.runtime, Path(candidate.path), candidate.params)
        ticket = next(self._tickets)
        self._prepared[ticket] = servable
        self._make_room()
        independence = servable.independence()
        told = Params.of(candidate.params).batch.merge
        proven, reason = (independence.proven, independence.reason) if told is None else (told, "")
        mergeable = proven and servable.signature.batch is BatchAxis.FREE
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
        servable = self._prepared[ticket]
        return self._outputs(version, servable, inputs, rows, whole, time.monotonic())

    async def adopt(self, ticket: int, version: ModelVersion) -> None:
        servable = self._prepared.pop(ticket)
        if version.key in self._loaded:  # somebody was quicker
            self._close(servable)
            return
        if servable.stateful:
            servable.reset()
        self._loaded[version.key] = _Held(servable)
        self._note_use(version)

    def discard(self, ticket: int) -> None:
        servable = self._prepared.pop(ticket)
        self._close(servable)

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
        return is_new and not self._of(version).servable.stateful

    def uses(self, version: ModelVersion) -> bool:
        return version.key in self._loaded

    async def servables(self) -> list[ServableStatus]:
        return [ServableStatus(key, "ready", None, None, 0, 0.0) for key in sorted(self._loaded)]

    def retire(self, version: ModelVersion) -> None:
        if (held := self._loaded.pop(version.key, None)) is not None:
            held.is_leaving = True
            self._close_if_left(held)

    async def _run(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        whole: bool,
        timing: Timing | None,
    ) -> list[Array]:
        asked_s = time.monotonic()
        with self._queued(version, rows), self._used(version) as servable:
            await asyncio.sleep(0)  # others get their turn, as with any engine
            begin_s = time.monotonic()
            self.runs.append((version.name, inputs))
            if version.place:
                servable = servable.others[version.signature.name]
            outputs = self._outputs(version, servable, inputs, rows, whole, asked_s)
        if timing is not None:
            timing.wait_s, timing.run_s = 0.0, time.monotonic() - begin_s
            timing.run_rows = rows
        return outputs

    @contextmanager
    def _queued(self, version: ModelVersion, rows: int) -> Iterator[None]:
        waiting = self._waiting_rows[version.key]
        if waiting + rows > self._surroundings.config.engine.max_queue_rows:
            raise queue_full(waiting, version.name)
        self._waiting_rows[version.key] += rows
        try:
            yield
        finally:
            self._waiting_rows[version.key] -= rows

    @contextmanager
    def _used(self, version: ModelVersion) -> Iterator[Servable]:
        """Loaded, and not closed in the block, whoever retires it."""
        held = self._of(version)
        held.users += 1
        try:
            yield held.servable
        finally:
            held.users -= 1
            self._close_if_left(held)
            self._make_room()

    def _outputs(
        self,
        version: ModelVersion,
        servable: Servable,
        inputs: Sequence[Array],
        rows: int,
        whole: bool,
        asked_s: float,
    ) -> list[Array]:
        """Of a request that came at ``asked_s``, as far as its deadline has not passed."""
        config = self._surroundings.config
        is_one = servable.signature.batch is BatchAxis.ONE
        most_rows = 1 if is_one else config.engine.max_batch_rows
        is_cut = not whole and rows > most_rows and (is_one or version.mergeable)
        step = most_rows if is_cut else max(rows, 1)
        origin = Origin(version.name, version.key)
        runs = []
        for start in range(0, max(rows, 1), step):
            piece = [array[start : start + step] for array in inputs] if is_cut else inputs
            runs.append(_foreign(partial(servable.run, piece), origin.run_failed))
            if time.monotonic() > asked_s + config.server.request_timeout_s:
                raise too_late()
        return joined(runs, servable.signature.outputs) if is_cut else runs[0]

    @property
    def _surroundings(self) -> WorkerContext:
        assert self._context is not None, "the engine belongs to no host"
        return self._context

    def _of(self, version: ModelVersion) -> _Held:
        if version.key not in self._loaded:
            artifact = self._surroundings.artifact(version)
            origin = Origin(version.name, version.key)
            servable = self._load(origin, version.runtime, artifact, version.params)
            self._loaded[version.key] = _Held(servable)
        self._note_use(version)
        return self._loaded[version.key]

    def _note_use(self, version: ModelVersion) -> None:
        self._loaded[version.key].used = next(self._uses)
        self._make_room()

    def _make_room(self) -> None:
        """Closes what was used least recently, as far as no run needs it."""
        idle = [(held.used, key) for key, held in self._loaded.items() if not held.users]
        for _used, key in sorted(idle)[:-1]:
            is_full = self._open > self._surroundings.config.engine.max_loaded_models
            if is_full and not self._loaded[key].is_given:
                self._close(self._loaded.pop(key).servable)

    def _load(
        self, origin: Origin, runtime: str, artifact: Path, params: dict[str, object]
    ) -> Servable:
        found = self._surroundings.runtimes[runtime]
        options = LoadOptions(threads=1)
        servable = _foreign(
            lambda: found.load(artifact, Params.of(params), options), origin.load_failed
        )
        self._open += 1
        return servable

    def _close_if_left(self, held: _Held) -> None:
        if held.is_leaving and not held.users:
            self._close(held.servable)

    def _close(self, servable: Servable) -> None:
        self._open -= 1
        servable.close()


class FakeEngineFactory(EngineFactory):
    """Gives the one engine."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    def supervisor(self, context: EngineContext) -> Supervisor | None:
        return None

    def engine(self, context: WorkerContext) -> Engine:
        return self._engine.attach(context)


def _foreign(function: Callable[[], T], failed: Callable[[BaseException], TfaasError]) -> T:
    """What ``function``, which is a runtime's, returns; ``failed`` says what else it raises."""
    try:
        return function()
    except TfaasError:
        raise
    except (Exception, SystemExit) as error:
        raise failed(error) from error
