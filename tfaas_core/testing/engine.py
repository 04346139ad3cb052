"""The contract of Engine as tests: each kind of engine subclasses ``EngineContract``."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from random import Random
from typing import ClassVar

import msgspec
import pytest

from tfaas_core.engine.base import EngineFactory
from tfaas_core.errors import CannotServe, ModelLost
from tfaas_core.models.model import ModelVersion
from tfaas_core.testing.engine_harness import (
    Harness,
    Stream,
    are_sums,
    eventually,
    is_sum,
    rows_of,
    started,
)
from tfaas_core.testing.engine_prepared import PreparedContract
from tfaas_core.testing.engine_runs import RunContract
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import SIGNATURE


class EngineContract(PreparedContract, RunContract):
    """What every Engine does. Subclass it as ``Test...``, set the class variables, and count."""

    make_factory: ClassVar[Callable[[], EngineFactory]]

    settings: ClassVar[Sequence[str]] = ()
    """Of the configuration, as ``--set`` takes them."""

    loop_factory: ClassVar[Callable[[], asyncio.AbstractEventLoop] | None] = None
    """Makes the event loop of each test; None: asyncio's own."""

    workers_share: ClassVar[bool] = True
    """Whether HTTP workers use one loaded model, or load one each."""

    def count_loaded(self) -> int:
        """How many models are loaded, or being loaded: their processes or threads, counted."""
        raise NotImplementedError

    def count_descriptors(self) -> int:
        """How many files are open in the processes that stay when models go."""
        # Looks after processes that have ended, of which multiprocessing keeps descriptors.
        multiprocessing.active_children()
        return len(os.listdir("/proc/self/fd"))

    def engine(
        self, folder: Path, *settings: str, workers: int = 1
    ) -> AbstractAsyncContextManager[Harness]:
        return started(type(self).make_factory(), folder, [*self.settings, *settings], workers)

    async def until_loaded(self, count: int) -> None:
        await eventually(lambda: self.count_loaded() == count, f"{count} models are loaded")

    @pytest.fixture(autouse=True)
    def _nothing_stays_loaded(self) -> Iterator[None]:
        yield
        asyncio.run(self.until_loaded(0))

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
            with pytest.raises(CannotServe, match="cannot be loaded: SystemExit: the fake"):
                await harness.worker.prepare("vk", "exit-on-load")
            await self.until_loaded(0)

    @in_event_loop
    async def test_a_servable_that_breaks_is_lost_and_loaded_again(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path) as harness:
            worker = harness.worker
            neighbour = await worker.upload("other", "sum")
            version = await worker.upload("vk", "break-on-reset")
            async with asyncio.timeout(10):
                while isinstance(await worker.try_run(version, rows_of(1)), ModelLost):
                    pass
            assert (await worker.run(version, rows_of(3))).tolist() == [[4]]
            assert is_sum(await worker.run(neighbour, rows_of(1)), rows_of(1))

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
            with _away(harness.shelf.artifact(version)):
                for error in await harness.worker.run_all(version, [rows_of(1)] * 3):
                    assert isinstance(error, CannotServe)
            assert is_sum(await harness.worker.run(version, rows_of(1)), rows_of(1))

    @in_event_loop
    async def test_what_is_loaded_needs_its_artifact_no_longer(self, tmp_path: Path) -> None:
        async with self.engine(tmp_path, workers=2) as harness:
            version = harness.worker.store("vk", "sum")
            second = await harness.start_worker(1)
            await harness.worker.engine.ready(version)
            if not self.workers_share:
                await second.engine.ready(version)
            with _away(harness.shelf.artifact(version)):
                for worker in (harness.worker, second):
                    assert is_sum(await worker.run(version, rows_of(1)), rows_of(1))

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
            with _away(*map(harness.shelf.artifact, (a, b, c))):
                for version in (a, c):
                    assert is_sum(await worker.run(version, rows_of(1)), rows_of(1))
                with pytest.raises(CannotServe):
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


@contextmanager
def _away(*artifacts: Path) -> Iterator[None]:
    """Takes artifacts away for as long as the block lasts."""
    hidden = [artifact.rename(artifact.with_name(f".{artifact.name}")) for artifact in artifacts]
    yield
    for artifact, elsewhere in zip(artifacts, hidden, strict=True):
        elsewhere.rename(artifact)
