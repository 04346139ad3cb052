"""The part of Engine's contract about room: models and HTTP workers that come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random

import pytest

from tfaas_core.errors import CannotServe, StorageUnavailable
from tfaas_core.testing.engine_harness import Harness, are_sums, is_sum, rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.suites.engine.case import EngineCase, away
from tfaas_core.testing.waiting import eventually


class RoomContract(EngineCase):
    """How many models are loaded at a time, and that nothing is left of those that go."""

    @in_event_loop
    async def test_the_least_recently_used_is_unloaded_and_loaded_again_on_demand(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path, "engine.max_loaded_models=2") as harness:
            worker = harness.worker
            a, b = [await worker.upload(name, "sum") for name in "ab"]
            for version in (b, a):
                await worker.run(version, rows_of(1))
            c = await worker.upload("c", "sum")
            await self.until_loaded(2)
            # A model that is still loaded needs no artifact.
            with away(*map(harness.shelf.artifact, (a, b, c))):
                for version in (a, c):
                    assert is_sum(await worker.run(version, rows_of(1)), rows_of(1))
                with pytest.raises((CannotServe, StorageUnavailable)):
                    await worker.run(b, rows_of(1))
            for version in (b, a, c, b):
                assert is_sum(await worker.run(version, rows_of(1, 2)), rows_of(1, 2))
                await self.until_loaded(2)

    @in_event_loop
    async def test_more_models_than_may_be_loaded_take_turns_without_a_failure(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path, "engine.max_loaded_models=2") as harness:
            worker = harness.worker
            versions = [worker.store(name, "sum") for name in "abcd"]

            async def ask(seed: int) -> None:
                random = Random(seed)
                for turn in range(8):
                    rows = rows_of(seed, turn)
                    assert is_sum(await worker.run(random.choice(versions), rows), rows)
                    await asyncio.sleep(random.random() / 100)

            await asyncio.gather(*[ask(seed) for seed in range(8)])
            await self.until_loaded(2)

    @in_event_loop
    async def test_models_wanted_all_at_once_make_room_for_each_other(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path, "engine.max_loaded_models=2") as harness:
            versions = [harness.worker.store(name, "sum") for name in "abcde"]
            for _turn in range(2):
                runs = [harness.worker.run(version, rows_of(1, 2)) for version in versions]
                assert are_sums(await asyncio.gather(*runs), [rows_of(1, 2)] * 5)
                await self.until_loaded(2)

    @in_event_loop
    async def test_workers_come_and_go(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path, workers=3) as harness:
            version = await harness.worker.upload("vk", "sum")
            for number in (1, 2, 1):
                worker = await harness.start_worker(number)
                assert is_sum(await worker.run(version, rows_of(number)), rows_of(number))
                assert self.count_loaded() == (1 if self.workers_share else 2)
                await harness.stop_worker(number)
                await self.until_loaded(1)
            assert is_sum(await harness.worker.run(version, rows_of(3)), rows_of(3))

    @in_event_loop
    async def test_models_that_come_and_go_leave_no_descriptor_open(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path) as harness:
            await self._assert_no_growth(lambda: self._load_and_unload(harness))

    async def _load_and_unload(self, harness: Harness) -> None:
        worker = harness.worker
        version = await worker.upload("vk", "sum")
        await worker.run(version, rows_of(1))
        worker.retire(version)
        with pytest.raises(CannotServe):
            await worker.prepare("vk", "nonsense")
        worker.engine.discard((await worker.prepare("vk", "sum")).ticket)
        await self.until_loaded(0)

    @in_event_loop
    async def test_a_closed_engine_leaves_no_descriptor_open(self, tmp_path: Path) -> None:
        await self._assert_no_growth(lambda: self._start_and_close(tmp_path))

    async def _start_and_close(self, folder: Path) -> None:
        async with self.engine(folder) as harness:
            version = await harness.worker.upload("vk", "sum")
            await harness.worker.upload("other", "sum")
            await harness.worker.run(version, rows_of(1))
        await self.until_loaded(0)

    async def _assert_no_growth(self, cycle: Callable[[], Coroutine[None, None, None]]) -> None:
        counts = []
        for _turn in range(5):
            await cycle()
            counts.append(self.count_descriptors())
        most = max(counts[:2])
        await eventually(
            lambda: self.count_descriptors() <= most, f"no more files are open than first: {counts}"
        )
