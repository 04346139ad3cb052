"""Processes of their own for tests that kill them: an HTTP worker's, and a whole server's."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import psutil

from tfaas_core.engine.base import EngineFactory, WorkerContext
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array
from tfaas_core.testing.engine_harness import rows_of, started
from tfaas_core.testing.forked import model_processes
from tfaas_core.testing.waiting import eventually


@asynccontextmanager
async def holding(
    factory: EngineFactory, context: WorkerContext, version: ModelVersion, rows: Array
) -> AsyncIterator[SpawnProcess]:
    """An HTTP worker's process, which waits for the answer to ``rows``."""
    async with _spawned(_hold, factory, context, version, rows) as (process, _report):
        if context.engine_socket is not None:
            context.engine_socket.close()
        yield process


async def _hold(
    report: Callable[[Any], None],
    factory: EngineFactory,
    context: WorkerContext,
    version: ModelVersion,
    rows: Array,
) -> None:
    engine = factory.engine(context)
    await engine.start()
    await engine.run(version, [rows_of(1)], 1)
    answer = engine.run(version, [rows], len(rows))
    report(None)
    await answer


@asynccontextmanager
async def serving(
    factory: EngineFactory, folder: Path, settings: Sequence[str], words: Sequence[str]
) -> AsyncIterator[tuple[SpawnProcess, list[psutil.Process]]]:
    """A process with an engine that has a model process for each of ``words``, and these."""
    async with _spawned(_serve, factory, folder, settings, words) as (process, pids):
        yield process, [psutil.Process(pid) for pid in pids]


async def _serve(
    report: Callable[[Any], None],
    factory: EngineFactory,
    folder: Path,
    settings: Sequence[str],
    words: Sequence[str],
) -> None:
    async with started(factory, folder, settings) as harness:
        loads = [harness.worker.prepare(f"m{number}", word) for number, word in enumerate(words)]
        loading = asyncio.gather(*loads)
        await eventually(lambda: len(model_processes()) == len(words), "all processes are there")
        report([process.pid for process in model_processes()])
        await loading
        await asyncio.Event().wait()


@asynccontextmanager
async def _spawned(
    work: Callable[..., Awaitable[None]], *arguments: Any
) -> AsyncIterator[tuple[SpawnProcess, Any]]:
    """A process that runs ``work``, and its first report; killed at the end of the block."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_main, args=(sending, work, arguments))
    process.start()
    sending.close()
    try:
        with receiving:
            await eventually(receiving.poll, "the process reports")
            report = receiving.recv()
        yield process, report
    finally:
        process.kill()
        process.join()
        process.close()


def _main(
    sending: Connection, work: Callable[..., Awaitable[None]], arguments: tuple[Any, ...]
) -> None:
    async def run() -> None:
        await work(sending.send, *arguments)

    asyncio.run(run())
