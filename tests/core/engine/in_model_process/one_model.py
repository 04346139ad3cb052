"""A client of an engine that runs one model, in the process of the test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.errors import TfaasError
from tfaas_core.tensors import Array, BatchAxis
from tfaas_core.testing.engine_harness import Worker, started
from tfaas_core.testing.function_servable import FunctionServable, OneServable


def sums(rows: Array) -> Array:
    result: Array = rows.sum(axis=1, keepdims=True)
    return result


def slow_sums(rows: Array) -> Array:
    time.sleep(0.02)
    return sums(rows)


class Client:
    """Sends requests to the one model that there is."""

    def __init__(self, worker: Worker, servable: FunctionServable) -> None:
        self._worker = worker
        self._servable = servable

    async def load(self, **params: Any) -> None:
        self.version = await self._worker.upload("vk", "any", **params)
        if self._servable.runs:
            await self.ask(*self._servable.runs[0])
        self._servable.runs.clear()

    def believe_mergeable(self) -> None:
        """Goes by a record that says so, which may not be what the model's process finds out."""
        self.version = msgspec.structs.replace(self.version, mergeable=True)

    def retire(self) -> None:
        self._worker.retire(self.version)

    async def ask(self, *inputs: Array, whole: bool = False) -> Any:
        """The answer, or all of them where there are several, or the error."""
        rows = len(inputs[0]) if self.version.signature.batch is not BatchAxis.NONE else 1
        try:
            answers = await self._worker.engine.run(self.version, inputs, rows, whole)
        except TfaasError as error:
            return error
        return answers if len(answers) > 1 else answers[0]

    async def ask_all(self, requests: Sequence[Array], whole: bool = False) -> list[Any]:
        """The answers to requests of one input, each in a frame of its own."""
        asking = []
        for request in requests:
            asking.append(asyncio.create_task(self.ask(request, whole=whole)))
            await asyncio.sleep(0)
        return await asyncio.gather(*asking)


@asynccontextmanager
async def client(
    folder: Path, servable: FunctionServable, *settings: str, **params: Any
) -> AsyncIterator[Client]:
    """A client whose first request, a warm-up's, was answered and is forgotten."""
    async with started(
        LocalEngineFactory(),
        folder,
        ["engine.isolation=inline", *settings],
        runtime=OneServable(servable),
    ) as harness:
        one = Client(harness.worker, servable)
        await one.load(**params)
        yield one


def sizes(servable: FunctionServable) -> list[int]:
    """How many rows each run had."""
    return [len(inputs[0]) for inputs in servable.runs]
