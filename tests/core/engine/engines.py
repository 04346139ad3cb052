"""Engines with a process for each model, and what tests ask of them."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import psutil

from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.models.model import ModelVersion
from tfaas_core.testing.engine_harness import (
    Harness,
    Worker,
    is_sum,
    rows_of,
    started,
)
from tfaas_core.testing.forked import model_processes

WITHIN_S = 30.0
"""However long each of the processes that this takes has to wait for a core."""


def engine(folder: Path, *settings: str, workers: int = 1) -> AbstractAsyncContextManager[Harness]:
    return started(LocalEngineFactory(), folder, ["engine.isolation=model", *settings], workers)


async def upload_and_find(
    worker: Worker, name: str, word: str
) -> tuple[ModelVersion, psutil.Process]:
    before = model_processes()
    version = await worker.upload(name, word)
    (process,) = set(model_processes()) - set(before)
    return version, process


async def healed(worker: Worker, version: ModelVersion) -> None:
    """Asks until there is an answer."""
    async with asyncio.timeout(WITHIN_S):
        while not is_sum(await worker.try_run(version, rows_of(5)), rows_of(5)):
            pass
