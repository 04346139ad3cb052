"""Engines of models that have modes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tests.core.engine.moded_runtime import OFF_BY, ModedRuntime
from tfaas_core.config import load_config
from tfaas_core.engine.base import EngineContext, EngineFactory
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.models.model import ModelVersion
from tfaas_core.runtime import Runtime
from tfaas_core.testing.engine_harness import RUNTIME, Harness, Shelf, rows_of


@asynccontextmanager
async def moded(
    folder: Path,
    *settings: str,
    runtime: type[Runtime] = ModedRuntime,
    factory: type[EngineFactory] = LocalEngineFactory,
    workers: int = 1,
) -> AsyncIterator[Harness]:
    shelf = folder / "shelf"
    shelf.mkdir(exist_ok=True)
    chosen = ("engine.mode=auto", f"engine.mode_cache={folder / 'modes'}", *settings)
    context = EngineContext(load_config(None, chosen, {}), {RUNTIME: runtime()}, workers)
    harness = Harness(factory(), context, Shelf(shelf))
    try:
        await harness.start()
        yield harness
    finally:
        await harness.close()


async def uploaded(harness: Harness, kind: str, **params: Any) -> ModelVersion:
    """``kind``: what ModedRuntime takes behind ``moded``."""
    return await harness.worker.upload(kind.split()[0], f"moded {kind}", **params)


async def is_quick(harness: Harness, version: ModelVersion) -> bool:
    answer = await harness.worker.run(version, rows_of(3))
    found = {
        name: np.array_equal(answer, rows_of(3).sum(1, keepdims=True) * times)
        for name, times in (("usual", 1), ("quick", OFF_BY))
    }
    assert sum(found.values()) == 1
    return found["quick"]
