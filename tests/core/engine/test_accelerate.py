"""A second engine takes over where it is proven, and nowhere else, in a whole engine."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.core.engine.fast_runtime import OFF_BY, FastRuntime
from tfaas_core.config import load_config
from tfaas_core.engine.base import EngineContext
from tfaas_core.engine.in_parent.accelerating import conversions
from tfaas_core.engine.in_parent.accelerating.conversions import Conversion, Conversions
from tfaas_core.engine.in_parent.pool import NOT_LOADED
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.engine.shared.acceleration import AccelerationOrder
from tfaas_core.errors import ModelLost
from tfaas_core.events import ModelCrashed
from tfaas_core.models.model import ModelVersion
from tfaas_core.runtime import Accelerator, Runtime
from tfaas_core.tensors import Array
from tfaas_core.testing.engine_harness import RUNTIME, Harness, Shelf, is_sum, rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import FakeRuntime
from tfaas_core.testing.waiting import eventually

pytestmark = pytest.mark.usefixtures("no_model_process_stays")


@asynccontextmanager
async def accelerated(
    folder: Path, *settings: str, runtime: type[Runtime] = FastRuntime
) -> AsyncIterator[Harness]:
    shelf = folder / "shelf"
    shelf.mkdir(exist_ok=True)
    chosen: tuple[str, ...] = (
        "engine.accelerate=auto",
        f"engine.accelerate_cache={folder / 'cache'}",
    )
    chosen += ("engine.max_batch_rows=40", *settings)
    context = EngineContext(load_config(None, chosen, {}), {RUNTIME: runtime()}, 1)
    harness = Harness(LocalEngineFactory(), context, Shelf(shelf))
    try:
        await harness.start()
        yield harness
    finally:
        await harness.close()


async def uploaded(harness: Harness, kind: str) -> ModelVersion:
    return await harness.worker.upload(kind, f"fast {kind}", kind=kind)


async def verdict(harness: Harness, version: ModelVersion) -> tuple[str, str]:
    """What runs it, and why, once that is known. Meanwhile it answers."""
    async with asyncio.timeout(120):
        while True:
            answer = await harness.worker.run(version, rows_of(1, 2))
            assert np.allclose(answer, [[1], [2]], rtol=1e-5)
            told = await harness.worker.engine.acceleration(version)
            if told["reason"] not in (NOT_LOADED, "Swift is being tried"):
                return told.get("name", ""), told["reason"]
            # The process that tries it gives way to this one.
            await asyncio.sleep(0.02)


def is_fast(answer: Array, rows: Array) -> bool:
    return np.array_equal(answer, rows.sum(1, keepdims=True) * OFF_BY)


@in_event_loop
async def test_what_is_proven_takes_over_but_for_what_the_first_engine_answers_otherwise(
    tmp_path: Path,
) -> None:
    async with accelerated(tmp_path) as harness:
        version = await uploaded(harness, "good")
        name, reason = await verdict(harness, version)
        assert name == "Swift"
        assert reason.startswith("the same answers as Slow in ")
        run = harness.worker.run
        assert is_fast(await run(version, rows_of(3)), rows_of(3))
        many = rows_of(*range(40))
        assert is_fast(await run(version, many), many)
        # The slow one rests by now: it is woken for the rest.
        odd = rows_of(1, math.nan)
        assert np.array_equal(await run(version, odd), odd.sum(1, keepdims=True), equal_nan=True)
        huge = rows_of(1e30)
        assert is_sum(await run(version, huge), huge)
        assert is_fast(await run(version, rows_of(5)), rows_of(5))


@in_event_loop
async def test_a_converter_may_tell_what_nobody_wants_to_know(tmp_path: Path) -> None:
    async with accelerated(tmp_path) as harness:
        name, reason = await verdict(harness, await uploaded(harness, "telling"))
        assert name == "Swift", reason


WHYS = {
    "unfit": "it has an op that Swift lacks",
    "raising": "SystemExit: enough of this",
    "aborting": "the process that was trying that was killed by SIGABRT",
    "eating": "MemoryError",
    "huge": "it is larger than 1 MB once it is converted",
    "wrong": "its output 'sum' is another",
    "hanging": "trying that takes longer than 0.5 s",
}


@in_event_loop
async def test_whatever_else_is_refused_in_one_line_and_served_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversions, "MOST_CONVERTED_BYTES", 1 << 20)
    async with accelerated(tmp_path) as harness:
        for kind, why in WHYS.items():
            if kind == "hanging":
                monkeypatch.setattr(conversions, "TRIAL_LIMIT_S", 0.5)
            version = await uploaded(harness, kind)
            name, reason = await verdict(harness, version)
            assert name == "Slow"
            assert reason.startswith("Swift does not run it: ")
            assert why in reason
            assert "\n" not in reason
            assert is_sum(await harness.worker.run(version, rows_of(3)), rows_of(3))


@in_event_loop
async def test_a_trial_takes_no_more_than_all_models_may(tmp_path: Path) -> None:
    async with accelerated(tmp_path, "engine.max_memory_bytes=800000000") as harness:
        name, reason = await verdict(harness, await uploaded(harness, "eating-some"))
        assert (name, "MemoryError" in reason) == ("Slow", True), reason


async def _not_tried(*_arguments: object) -> object:
    raise AssertionError("it is tried again")


@in_event_loop
async def test_a_conversion_is_kept_until_its_file_is_damaged_or_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with accelerated(tmp_path) as harness:

        async def runs() -> str:
            return (await verdict(harness, await uploaded(harness, "good")))[0]

        assert await runs() == "Swift"
        (entry,) = (tmp_path / "cache").iterdir()
        content = entry.read_bytes()
        with monkeypatch.context() as patched:
            patched.setattr(Conversions, "tried", _not_tried)
            assert await runs() == "Swift"
        entry.unlink()
        assert await runs() == "Swift"
        entry.write_bytes(content[:-1] + b"?")
        assert await runs() == "Swift"
        assert len(entry.read_bytes()) == len(content)


@in_event_loop
async def test_a_version_whose_process_dies_of_it_twice_is_run_by_the_first_engine(
    tmp_path: Path,
) -> None:
    async with accelerated(tmp_path) as harness:
        version = await uploaded(harness, "dies")
        for _death in range(2):
            assert (await verdict(harness, version))[0] == "Swift"
            with pytest.raises(ModelLost):
                await harness.worker.run(version, rows_of(666))
            while isinstance(await harness.worker.try_run(version, rows_of(1)), ModelLost):
                pass
        assert await verdict(harness, version) == (
            "Slow",
            "Swift does not run it: its process died 2 times while it did",
        )
        assert is_sum(await harness.worker.run(version, rows_of(666)), rows_of(666))


def deaths(harness: Harness) -> int:
    return sum(isinstance(event, ModelCrashed) for event in harness.events)


@in_event_loop
async def test_a_process_that_is_killed_from_outside_blames_no_engine(tmp_path: Path) -> None:
    async with accelerated(tmp_path) as harness:
        version = await uploaded(harness, "good")
        for killed in range(2):
            assert (await verdict(harness, version))[0] == "Swift"
            (loaded,) = await harness.worker.engine.servables()
            psutil.Process(loaded.pid).kill()
            await eventually(lambda: deaths(harness) > killed, "the death is known")  # noqa: B023
            while isinstance(await harness.worker.try_run(version, rows_of(1)), ModelLost):
                pass
        assert (await verdict(harness, version))[0] == "Swift"


@in_event_loop
async def test_it_is_left_alone_where_its_process_dies_as_it_begins(tmp_path: Path) -> None:
    async with accelerated(tmp_path) as harness:
        version = await uploaded(harness, "dies-when-it-serves")
        reason = ""
        async with asyncio.timeout(60):
            while "died" not in reason:
                await harness.worker.try_run(version, rows_of(1))
                reason = (await harness.worker.engine.acceleration(version))["reason"]
        assert reason == "Swift does not run it: its process died 2 times while it did"
        assert is_sum(await harness.worker.run(version, rows_of(3)), rows_of(3))


@in_event_loop
async def test_what_another_signature_may_change_stays_with_the_first_engine(
    tmp_path: Path,
) -> None:
    async with accelerated(tmp_path) as harness:
        version = await uploaded(harness, "beside-state")
        name, reason = await verdict(harness, version)
        assert (name, "one of its signatures keeps state" in reason) == ("Slow", True)


@in_event_loop
async def test_a_model_whose_files_went_away_meanwhile_is_tried_when_it_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = Conversions.tried

    async def removed_and_tried(
        conversions: Conversions, accelerator: Accelerator, order: AccelerationOrder, mode: str
    ) -> Conversion:
        Path(order.candidate.path).unlink()
        return await tried(conversions, accelerator, order, mode)

    async with accelerated(tmp_path) as harness:
        with monkeypatch.context() as patched:
            patched.setattr(Conversions, "tried", removed_and_tried)
            name, reason = await verdict(harness, await uploaded(harness, "good"))
            assert (name, "FileNotFoundError" in reason) == ("Slow", True)
        assert (await verdict(harness, await uploaded(harness, "good")))[0] == "Swift"


class Untouched(FastRuntime):
    def accelerator(self) -> None:  # type: ignore[override]
        raise AssertionError("nobody asked for it")


@in_event_loop
async def test_it_is_off_unless_somebody_asks_for_it(tmp_path: Path) -> None:
    async with accelerated(tmp_path, "engine.accelerate=off", runtime=Untouched) as harness:
        version = await uploaded(harness, "good")
        assert is_sum(await harness.worker.run(version, rows_of(3)), rows_of(3))
        assert await harness.worker.engine.acceleration(version) == {}
    assert not (tmp_path / "cache").exists()


@in_event_loop
async def test_a_runtime_without_a_second_engine_is_served_as_ever(tmp_path: Path) -> None:
    async with accelerated(tmp_path, runtime=FakeRuntime) as harness:
        version = await harness.worker.upload("sum", "sum")
        assert await verdict(harness, version) == ("", "its runtime has no second engine")
        assert is_sum(await harness.worker.run(version, rows_of(3)), rows_of(3))
