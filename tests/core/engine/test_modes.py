"""Each version is run in the mode of its runtime that is said, or that was found out and kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
import pytest

from tests.core.engine.moded_runtime import OFF_BY, ModedRuntime
from tfaas_core.config import load_config
from tfaas_core.engine.base import EngineContext
from tfaas_core.engine.in_parent.mode_trials import ModeTrials
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.errors import CannotServe, ConfigError
from tfaas_core.models.model import ModelVersion
from tfaas_core.runtime import Runtime
from tfaas_core.testing.engine_harness import RUNTIME, Harness, Shelf, rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import FakeRuntime

pytestmark = pytest.mark.usefixtures("no_model_process_stays")


@asynccontextmanager
async def moded(
    folder: Path, *settings: str, runtime: type[Runtime] = ModedRuntime
) -> AsyncIterator[Harness]:
    shelf = folder / "shelf"
    shelf.mkdir(exist_ok=True)
    chosen = ("engine.mode=auto", f"engine.mode_cache={folder / 'modes'}", *settings)
    context = EngineContext(load_config(None, chosen, {}), {RUNTIME: runtime()}, 1)
    harness = Harness(LocalEngineFactory(), context, Shelf(shelf))
    try:
        await harness.start()
        yield harness
    finally:
        await harness.close()


async def uploaded(harness: Harness, kind: str, **params: Any) -> ModelVersion:
    return await harness.worker.upload(kind, f"moded {kind}", **params)


async def is_quick(harness: Harness, version: ModelVersion) -> bool:
    answer = await harness.worker.run(version, rows_of(3))
    found = {
        name: np.array_equal(answer, rows_of(3).sum(1, keepdims=True) * times)
        for name, times in (("usual", 1), ("quick", OFF_BY))
    }
    assert sum(found.values()) == 1
    return found["quick"]


async def killed(harness: Harness, version: ModelVersion) -> None:
    """Returns once another process answers."""
    (old,) = await harness.worker.engine.servables()
    assert old.pid is not None
    psutil.Process(old.pid).kill()
    while True:
        if not isinstance(await harness.worker.try_run(version, rows_of(3)), Exception):
            (new,) = await harness.worker.engine.servables()
            if new.pid != old.pid:
                return


async def _not_tried(*_arguments: object) -> object:
    raise AssertionError("it is tried again")


@in_event_loop
async def test_the_faster_mode_is_found_out_once_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with moded(tmp_path) as harness:
        version = await uploaded(harness, "quicker")
        assert await is_quick(harness, version)
        told = await harness.worker.engine.acceleration(version)
        assert told["mode"] == "quick"
        assert told["mode_reason"].startswith("quick is ")
        monkeypatch.setattr(ModeTrials, "fastest", _not_tried)
        await killed(harness, version)
        assert await is_quick(harness, version)
    async with moded(tmp_path) as harness:
        assert await is_quick(harness, version)


WHYS = {
    "slower": "quick is ",
    "instant": "no other is tried: a run takes ",
    "dying": "quick cannot be tried: its process was killed by SIGABRT",
    "stateful": "no other is tried: it keeps state, or draws random numbers",
}


@in_event_loop
async def test_all_else_is_run_as_usual(tmp_path: Path) -> None:
    async with moded(tmp_path) as harness:
        for kind, why in WHYS.items():
            version = await uploaded(harness, kind)
            assert not await is_quick(harness, version)
            told = await harness.worker.engine.acceleration(version)
            assert told["mode"] == "usual"
            assert told["mode_reason"].startswith(why)


@in_event_loop
async def test_a_trial_that_hangs_ends_in_time(tmp_path: Path) -> None:
    async with moded(tmp_path, "engine.tune_s=1") as harness:
        version = await uploaded(harness, "hanging")
        assert not await is_quick(harness, version)
        told = await harness.worker.engine.acceleration(version)
        assert told["mode_reason"] == "no other is tried: trying takes longer than 1 s"


@in_event_loop
async def test_what_is_said_is_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModeTrials, "fastest", _not_tried)
    async with moded(tmp_path, "engine.mode=usual") as harness:
        assert not await is_quick(harness, await uploaded(harness, "quicker"))
        said = await uploaded(harness, "slower", mode="quick")
        assert await is_quick(harness, said)
        said = msgspec.structs.replace(said, params={"mode": "quick"})
        told = await harness.worker.engine.acceleration(said)
        assert told == {"mode": "quick", "mode_reason": "its params say so"}
        with pytest.raises(CannotServe, match='mode is "swift", but the runtime'):
            await uploaded(harness, "slower", mode="swift")
    async with moded(tmp_path, "engine.mode=quick") as harness:
        assert await is_quick(harness, await uploaded(harness, "slower"))
        assert not await is_quick(harness, await uploaded(harness, "quicker", mode="usual"))


@in_event_loop
async def test_a_mode_that_no_runtime_has_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there are: usual, auto, quick"):
        async with moded(tmp_path, "engine.mode=swift"):
            pass


@in_event_loop
async def test_a_runtime_without_modes_is_served_as_ever(tmp_path: Path) -> None:
    async with moded(tmp_path, runtime=FakeRuntime) as harness:
        version = await harness.worker.upload("sum", "sum")
        told = await harness.worker.engine.acceleration(version)
        assert told == {"mode": "usual", "mode_reason": "its runtime has no other mode"}
