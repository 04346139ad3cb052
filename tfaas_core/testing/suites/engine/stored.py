"""The part of Engine's contract about versions that are stored: loaded, replaced and retired."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from tfaas_core.errors import CannotServe, StorageUnavailable
from tfaas_core.models.model import ModelVersion
from tfaas_core.testing.engine_harness import (
    Harness,
    Stream,
    are_sums,
    is_sum,
    rows_of,
)
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.suites.engine.case import EngineCase, away


class StoredContract(EngineCase):
    """What becomes of a stored version, and of the requests for it."""

    @in_event_loop
    async def test_a_stored_version_is_loaded_by_its_first_requests(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path) as harness:
            version = harness.worker.store("vk", "sum")
            requests = [rows_of(number) for number in range(20)]
            assert are_sums(await harness.worker.run_all(version, requests), requests)
            assert self.count_loaded() == 1

    @in_event_loop
    async def test_a_stored_version_without_its_artifact_fails_until_that_is_back(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path) as harness:
            version = harness.worker.store("vk", "sum")
            with away(harness.shelf.artifact(version)):
                for error in await harness.worker.run_all(version, [rows_of(1)] * 3):
                    assert isinstance(error, CannotServe | StorageUnavailable)
            assert is_sum(await harness.worker.run(version, rows_of(1)), rows_of(1))

    @in_event_loop
    async def test_what_is_loaded_needs_its_artifact_no_longer(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path, workers=2) as harness:
            version = harness.worker.store("vk", "sum")
            second = await harness.start_worker(1)
            await harness.worker.engine.ready(version)
            if not self.workers_share:
                await second.engine.ready(version)
            with away(harness.shelf.artifact(version)):
                for worker in (harness.worker, second):
                    assert is_sum(await worker.run(version, rows_of(1)), rows_of(1))

    @in_event_loop
    async def test_a_version_that_is_ready_is_loaded_and_used(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path) as harness:
            engine = harness.worker.engine
            stored = harness.worker.store("vk", "sum")
            assert not engine.uses(stored)
            await asyncio.gather(*[engine.ready(stored) for _ in range(3)])
            assert engine.uses(stored)
            assert self.count_loaded() == 1
            await engine.ready(stored)
            assert is_sum(await harness.worker.run(stored, rows_of(1)), rows_of(1))
            assert self.count_loaded() == 1
            harness.worker.retire(stored)
            await self.until_loaded(0)
            assert not engine.uses(stored)
            await engine.ready(stored)
            assert is_sum(await harness.worker.run(stored, rows_of(2)), rows_of(2))

    @in_event_loop
    async def test_a_version_that_cannot_be_loaded_does_not_get_ready(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path) as harness:
            stored = harness.worker.store("vk", "nonsense")
            with pytest.raises(CannotServe, match="does not know"):
                await harness.worker.engine.ready(stored)
            assert not harness.worker.engine.uses(stored)

    @in_event_loop
    async def test_several_versions_of_a_name_are_served_at_once(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path) as harness:
            worker = harness.worker
            first = await worker.upload("vk", "sum")
            second = await worker.upload("vk", "count")
            for _turn in range(2):
                answers = await asyncio.gather(
                    *[worker.run(version, rows_of(8, 9)) for version in (first, second) * 20]
                )
                assert [answer.tolist() for answer in answers] == [[[8], [9]], [[2], [2]]] * 20
            worker.retire(first)
            await self.until_loaded(1)
            assert (await worker.run(second, rows_of(8, 9))).tolist() == [[2], [2]]

    @in_event_loop
    async def test_what_is_loaded_is_listed(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path) as harness:
            worker = harness.worker
            for count, name in enumerate(("b", "a"), 1):
                version = await worker.upload(name, "sum")
                await worker.run(version, rows_of(1))
                assert len(await worker.engine.servables()) == count
            models = [each.model for each in await worker.engine.servables()]
            assert models == sorted(models)

    @in_event_loop
    async def test_a_deleted_models_successor_of_the_same_number_is_another_version(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path) as harness:
            worker = harness.worker
            old = await worker.upload("vk", "sum")
            assert (await worker.run(old, rows_of(8, 9))).tolist() == [[8], [9]]
            new = msgspec.structs.replace(old, created="2030-01-01 00:00:00.000000 +0000 UTC")
            harness.shelf.artifact(new).write_text("count")
            for version, answer in ((new, [[2], [2]]), (old, [[8], [9]])):
                assert (await worker.run(version, rows_of(8, 9))).tolist() == answer
            worker.retire(old)
            await self.until_loaded(1)
            assert (await worker.run(new, rows_of(8, 9))).tolist() == [[2], [2]]

    @in_event_loop
    async def test_a_retired_version_gives_its_last_answers_and_is_gone(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path, "engine.max_batch_rows=5") as harness:
            version = await harness.worker.upload("vk", "sleep 0.01")
            await self._retire_under_requests(harness, version)
            version = await harness.worker.upload("vk", "sleep 0.01")
            await harness.worker.run(version, rows_of(1))
            await self._retire_under_requests(harness, version)

    @in_event_loop
    async def test_a_version_retired_while_it_loads_answers_those_who_wait_and_is_gone(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path) as harness:
            await self._retire_under_requests(harness, harness.worker.store("vk", "sleep 0.01"))

    async def _retire_under_requests(self, harness: Harness, version: ModelVersion) -> None:
        requests = [rows_of(number) for number in range(20)]
        runs = [asyncio.create_task(harness.worker.run(version, rows)) for rows in requests]
        await asyncio.sleep(0)
        await self.until_loaded(1)
        harness.worker.retire(version)
        assert are_sums(await asyncio.gather(*runs), requests)
        await self.until_loaded(0)

    @in_event_loop
    async def test_replacing_a_version_fails_no_request(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path, workers=2) as harness:
            workers = [harness.worker, await harness.start_worker(1)]
            version = await harness.worker.upload("vk", "sum")
            async with Stream(workers[0], version) as one, Stream(workers[1], version) as two:
                for _turn in range(5):
                    version = await harness.worker.upload("vk", "sum")
                    for worker, stream in zip(workers, (one, two), strict=True):
                        old, stream.version = stream.version, version
                        worker.retire(old)
                        # Workers learn of a new version one after the other.
                        await two.goes_on()
            assert one.failures + two.failures == []
            await self.until_loaded(1 if self.workers_share else 2)

    @in_event_loop
    async def test_one_worker_retires_while_another_waits_for_the_model(
        self, tmp_path: Path
    ) -> None:
        async with self.engine(tmp_path, workers=2) as harness:
            other = await harness.start_worker(1)
            version = harness.worker.store("vk", "sleep 0.01")
            requests = [rows_of(number) for number in range(20)]
            answers = asyncio.create_task(other.run_all(version, requests))
            await self.until_loaded(1)
            harness.worker.retire(version)
            assert are_sums(await answers, requests)
            other.retire(version)
            await self.until_loaded(0)
