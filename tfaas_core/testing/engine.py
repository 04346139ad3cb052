"""The contract of Engine as tests: each kind of engine subclasses ``EngineContract``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tfaas_core.errors import CannotServe, ModelLost
from tfaas_core.testing.engine_harness import (
    is_sum,
    rows_of,
)
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import SIGNATURE
from tfaas_core.testing.suites.engine.prepared import PreparedContract
from tfaas_core.testing.suites.engine.room import RoomContract
from tfaas_core.testing.suites.engine.runs import RunContract
from tfaas_core.testing.suites.engine.stored import StoredContract


class EngineContract(PreparedContract, RunContract, StoredContract, RoomContract):
    """What every Engine does. Subclass it as ``Test...``, set the class variables, and count."""

    @in_event_loop
    async def test_an_adopted_upload_answers(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path) as harness:
            version = await harness.worker.upload("vk", "sum")
            answer = await harness.worker.run(version, rows_of(1, 2, 3))
            assert answer.tolist() == [[1], [2], [3]]
            assert self.count_loaded() == 1

    @in_event_loop
    async def test_prepare_tells_signature_and_whether_rows_are_independent(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path) as harness:
            for word, mergeable in (("sum", True), ("refuse", True), ("count", False)):
                loaded = await harness.worker.prepare("vk", word)
                assert loaded.signature == SIGNATURE
                assert loaded.mergeable is mergeable

    @in_event_loop
    async def test_a_discarded_upload_leaves_nothing(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path) as harness:
            loaded = await harness.worker.prepare("vk", "sum")
            assert self.count_loaded() == 1
            harness.worker.engine.discard(loaded.ticket)
            await self.until_loaded(0)

    @in_event_loop
    async def test_a_worker_that_goes_takes_its_unfinished_upload_along(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path, workers=2) as harness:
            other = await harness.start_worker(1)
            await other.prepare("vk", "sum")
            await harness.stop_worker(1)
            await self.until_loaded(0)

    @in_event_loop
    async def test_a_model_that_cannot_be_loaded_is_refused_in_the_runtimes_words(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path) as harness:
            for _turn in range(2):
                with pytest.raises(CannotServe, match="does not know this word"):
                    await harness.worker.prepare("vk", "nonsense")
                await self.until_loaded(0)
            version = await harness.worker.upload("vk", "sum")
            assert is_sum(await harness.worker.run(version, rows_of(1)), rows_of(1))

    @in_event_loop
    async def test_a_model_that_wants_to_end_its_process_on_loading_is_refused(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path) as harness:
            with pytest.raises(CannotServe, match="load of model 'vk': SystemExit: the fake"):
                await harness.worker.prepare("vk", "exit-on-load")
            await self.until_loaded(0)

    @in_event_loop
    async def test_a_servable_that_breaks_is_lost_and_loaded_again(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path) as harness:
            worker = harness.worker
            neighbour = await worker.upload("other", "sum")
            version = await worker.upload("vk", "break-on-reset")
            async with asyncio.timeout(30):
                while isinstance(await worker.try_run(version, rows_of(1)), ModelLost):
                    pass
            assert (await worker.run(version, rows_of(3))).tolist() == [[4]]
            assert is_sum(await worker.run(neighbour, rows_of(1)), rows_of(1))

    @in_event_loop
    async def test_an_upload_that_another_worker_uses_before_it_is_adopted_is_loaded_once(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path, workers=2) as harness:
            second = await harness.start_worker(1)
            version = await harness.worker.upload(
                "vk", "sum", before_adopting=lambda stored: second.run(stored, rows_of(1))
            )
            for worker in (harness.worker, second):
                assert is_sum(await worker.run(version, rows_of(2)), rows_of(2))
            await self.until_loaded(1 if self.workers_share else 2)
            for worker in (harness.worker, second):
                worker.retire(version)
            await self.until_loaded(0)
