"""What a contract suite needs to drive an engine: the parts around it, small but real."""

from __future__ import annotations

import asyncio
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tfaas_core.config import load_config
from tfaas_core.engine.base import (
    Candidate,
    Engine,
    EngineContext,
    EngineFactory,
    Loaded,
    Supervisor,
    WorkerContext,
)
from tfaas_core.events import ModelEvent
from tfaas_core.models.model import ModelVersion
from tfaas_core.runtime import Runtime
from tfaas_core.tensors import Array
from tfaas_core.testing.models import model_version
from tfaas_core.testing.runtime import SIGNATURE, FakeRuntime
from tfaas_core.testing.waiting import eventually

RUNTIME = "fake"


def rows_of(*sums: float) -> Array:
    """float32 [rows, 3]: for each number a row that begins with it, and whose sum it is."""
    rows = np.zeros((len(sums), 3), np.float32)
    rows[:, 0] = sums
    rows[:, 1], rows[:, 2] = np.arange(len(sums)), -np.arange(len(sums))
    return rows


def is_sum(answer: Any, rows: Array) -> bool:
    """Whether ``answer`` is what the model ``sum`` answers to ``rows``, and no error."""
    return isinstance(answer, np.ndarray) and np.array_equal(answer, rows.sum(1, keepdims=True))


def are_sums(answers: Sequence[Any], requests: Sequence[Array]) -> bool:
    """Whether all ``requests`` got the answers of the model ``sum``."""
    return all(is_sum(*pair) for pair in zip(answers, requests, strict=True))


class Shelf:
    """Artifacts and the versions that they belong to, as a storage would keep them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._newest: defaultdict[str, int] = defaultdict(int)
        self._staged = 0

    def stage(self, word: str) -> Path:
        """The artifact of an upload that is not stored yet."""
        self._staged += 1
        staged = self._folder / f".staged-{self._staged}"
        staged.write_text(word)
        return staged

    def commit(self, name: str, staged: Path, loaded: Loaded) -> ModelVersion:
        """Stores an upload as the next version of ``name``."""
        self._newest[name] += 1
        version = msgspec.structs.replace(
            model_version(name=name, version=self._newest[name]),
            runtime=RUNTIME,
            signature=loaded.signature,
            mergeable=loaded.mergeable,
            merge_reason=loaded.merge_reason,
        )
        staged.rename(self.artifact(version))
        return version

    def artifact(self, version: ModelVersion) -> Path:
        return self._folder / f"{version.name}-{version.version}"


class Worker:
    """An HTTP worker's engine, used as publisher and predictor would use it."""

    def __init__(self, engine: Engine, shelf: Shelf) -> None:
        self.engine = engine
        self._shelf = shelf

    async def prepare(self, name: str, word: str) -> Loaded:
        """Loads the upload of a FakeRuntime's model."""
        return await self.engine.prepare(self.candidate(name, word))

    async def upload(
        self,
        name: str,
        word: str,
        before_adopting: Callable[[ModelVersion], Awaitable[object]] | None = None,
        **params: Any,
    ) -> ModelVersion:
        """Prepares, stores and adopts a FakeRuntime's model."""
        candidate = self.candidate(name, word, **params)
        loaded = await self.engine.prepare(candidate)
        version = self._shelf.commit(name, Path(candidate.path), loaded)
        if before_adopting is not None:
            await before_adopting(version)
        await self.engine.adopt(loaded.ticket, version)
        return version

    async def run_prepared(self, loaded: Loaded, rows: Array) -> Array:
        """Answers of an upload that is not stored."""
        version = msgspec.structs.replace(
            model_version(name="vk", version=0),
            runtime=RUNTIME,
            signature=loaded.signature,
            mergeable=loaded.mergeable,
            merge_reason=loaded.merge_reason,
        )
        (answer,) = await self.engine.run_prepared(loaded.ticket, version, [rows], len(rows))
        return answer

    def candidate(self, name: str, word: str, **params: Any) -> Candidate:
        """A FakeRuntime's model as an upload that nobody has looked at yet."""
        return Candidate(name, "", RUNTIME, str(self._shelf.stage(word)), dict(params))

    def store(self, name: str, word: str) -> ModelVersion:
        """A version that was stored before the engine was started: it is not loaded yet."""
        loaded = Loaded(0, SIGNATURE, mergeable=word != "count")
        return self._shelf.commit(name, self._shelf.stage(word), loaded)

    def retire(self, version: ModelVersion) -> None:
        self.engine.retire(version)

    async def run(self, version: ModelVersion, rows: Array) -> Array:
        """Answers, float32 [rows, 1], to ``rows``, float32 [rows, 3]."""
        (answer,) = await self.engine.run(version, [rows], len(rows))
        return answer

    async def try_run(self, version: ModelVersion, rows: Array) -> Array | Exception:
        """As ``run``, but an error is returned."""
        try:
            return await self.run(version, rows)
        except Exception as error:
            return error

    async def run_all(
        self, version: ModelVersion, requests: Sequence[Array]
    ) -> list[Array | Exception]:
        """The answers to requests that are sent at once, or the errors that stand in for them."""
        return await asyncio.gather(*[self.try_run(version, rows) for rows in requests])


class Harness:
    """An engine's parts, wired as a server of ``workers`` HTTP workers would wire them."""

    worker: Worker
    """The first HTTP worker, number 0, which is always there."""

    events: list[ModelEvent]
    """What the engine has told, in order."""

    def __init__(self, factory: EngineFactory, context: EngineContext, shelf: Shelf) -> None:
        self.shelf = shelf
        self.events = []
        context = msgspec.structs.replace(context, tell=self.events.append)
        self._factory = factory
        self._context = context
        self._supervisor: Supervisor | None = None
        self._workers: dict[int, Worker] = {}

    async def start(self) -> None:
        self._supervisor = self._factory.supervisor(self._context)
        if self._supervisor is not None:
            await self._supervisor.start()
        self.worker = await self.start_worker(0)

    async def start_worker(self, number: int) -> Worker:
        engine = self._factory.engine(self.attach(number))
        await engine.start()
        worker = self._workers[number] = Worker(engine, self.shelf)
        return worker

    def attach(self, number: int) -> WorkerContext:
        """What the engine of a new HTTP worker gets."""
        sock = None
        if self._supervisor is not None:
            theirs, sock = socket.socketpair()
            self._supervisor.attach(number, theirs)
        context = self._context
        return WorkerContext(
            context.config,
            context.runtimes,
            context.workers,
            number,
            sock,
            self.shelf.artifact,
            owners=context.owners,
            built_in=context.built_in,
            tell=context.tell,
        )

    async def stop_worker(self, number: int) -> None:
        await self._workers.pop(number).engine.close()

    async def close(self) -> None:
        for number in list(self._workers):
            await self.stop_worker(number)
        if self._supervisor is not None:
            await self._supervisor.close()


@asynccontextmanager
async def started(
    factory: EngineFactory,
    folder: Path,
    settings: Sequence[str],
    workers: int = 1,
    runtime: Runtime | None = None,
) -> AsyncIterator[Harness]:
    """A running engine that keeps artifacts in ``folder``; it is closed at the end of the block.

    ``settings`` are like ``engine.max_queue_rows=10``; ``workers``: of which numbers HTTP workers
    may be started; ``runtime``: the only one there is, a FakeRuntime unless told otherwise.
    """
    context = EngineContext(
        load_config(None, settings, {}), {RUNTIME: runtime or FakeRuntime()}, workers
    )
    harness = Harness(factory, context, Shelf(folder))
    try:
        await harness.start()
        yield harness
    finally:
        await harness.close()


class Stream:
    """Requests to the model ``sum`` without a pause, four at a time, while the block lasts."""

    def __init__(self, worker: Worker, version: ModelVersion) -> None:
        self.answers = 0
        self.failures: list[Any] = []
        self.version = version
        self._worker = worker
        self._ended = False

    async def __aenter__(self) -> Stream:
        self._asking = [asyncio.create_task(self._ask(number)) for number in range(4)]
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._ended = True
        await asyncio.gather(*self._asking)

    async def goes_on(self) -> None:
        """Returns once further requests were answered."""
        before = self.answers
        await eventually(lambda: self.answers > before + 20, "requests are answered")

    async def _ask(self, number: int) -> None:
        while not self._ended:
            rows = rows_of(number, self.answers % 1000)
            answer = await self._worker.try_run(self.version, rows)
            if is_sum(answer, rows):
                self.answers += 1
            else:
                self.failures.append(answer)
                # A refusal comes without waiting for anything.
                await asyncio.sleep(0)
