"""Several hosts, one of which goes: its models are served by the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from tfaas_core.engine.in_front.dialling import FarDoor
from tfaas_core.engine.in_front.remote_engine import RemoteEngine
from tfaas_core.errors import ModelLost, Unavailable
from tfaas_core.events import ModelCrashed, ModelLoaded
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array
from tfaas_core.testing.engine_harness import Harness, Stream, is_sum, rows_of, started
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import TRIGGER
from tfaas_core.testing.suites.engine.door import TOKEN, DoorFactory, TestHost
from tfaas_core.testing.waiting import eventually


class TwoHosts(DoorFactory):
    hosts = 2


@asynccontextmanager
async def two_hosts(folder: Path) -> AsyncIterator[tuple[Harness, TwoHosts]]:
    factory = TwoHosts()
    async with started(factory, folder, ["engine.isolation=model"]) as harness:
        yield harness, factory


async def home_of(harness: Harness, version: ModelVersion) -> str:
    """The host that the version is used at, as the engine tells."""
    hosts = {
        status.host
        for status in await harness.worker.engine.servables()
        if status.model == version.reference and status.state == "ready"
    }
    return hosts.pop() if len(hosts) == 1 else ""


def at(factory: TwoHosts, address: str) -> TestHost:
    return next(host for host in factory.made if host.address == address)


@in_event_loop
async def test_a_host_that_goes_and_comes_back_fails_no_request(tmp_path: Path) -> None:
    async with two_hosts(tmp_path) as (harness, factory):
        version = await harness.worker.upload("vk", "sum")
        first = await home_of(harness, version)
        gone = at(factory, first)
        async with Stream(harness.worker, version) as stream:
            await stream.goes_on()
            await gone.close()
            await stream.goes_on()
            assert await home_of(harness, version) not in ("", first)
            back = TestHost(gone.context, int(first.rpartition(":")[2]))
            back.artifact = harness.shelf.artifact
            factory.made[factory.made.index(gone)] = back
            await back.start()
            await until_home(harness, version, first)
            await stream.goes_on()
        assert stream.failures == []


@in_event_loop
async def test_a_host_that_drains_fails_no_request_of_a_model_of_any_kind(tmp_path: Path) -> None:
    async with two_hosts(tmp_path) as (harness, factory):
        worker = harness.worker
        version, alone = await worker.upload("vk", "sum"), await worker.upload("n", "count")
        first = await home_of(harness, version)
        async with Stream(worker, version) as stream:
            await stream.goes_on()
            await at(factory, first).door.drain()
            await stream.goes_on()
            assert (await worker.run(alone, rows_of(1, 2))).tolist() == [[2], [2]]
            assert await home_of(harness, version) not in ("", first)
        assert stream.failures == []


@in_event_loop
async def test_hosts_that_are_left_out_and_taken_in_fail_no_request(tmp_path: Path) -> None:
    async with two_hosts(tmp_path) as (harness, factory):
        version = await harness.worker.upload("vk", "sum")
        first = await home_of(harness, version)
        other = next(host.address for host in factory.made if host.address != first)
        engine, door = harness.worker.engine, FarDoor("", TOKEN, 3.0)
        assert isinstance(engine, RemoteEngine)
        async with Stream(harness.worker, version) as stream:
            for hosts, home in (([other], other), ([other, first], first)):
                engine.call_at([msgspec.structs.replace(door, address=each) for each in hosts])
                await until_home(harness, version, home)
                await stream.goes_on()
        assert stream.failures == []


@in_event_loop
async def test_models_of_a_host_that_was_the_only_one_go_to_the_next_that_comes(
    tmp_path: Path,
) -> None:
    async with two_hosts(tmp_path) as (harness, factory):
        engine, door = harness.worker.engine, FarDoor("", TOKEN, 3.0)
        assert isinstance(engine, RemoteEngine)
        version = await harness.worker.upload("vk", "sum")
        first = await home_of(harness, version)
        engine.call_at([])
        assert is_sum(await harness.worker.run(version, rows_of(1)), rows_of(1))
        with pytest.raises(Unavailable, match="try again: no host is known"):
            await harness.worker.upload("another", "sum")
        other = next(host.address for host in factory.made if host.address != first)
        engine.call_at([msgspec.structs.replace(door, address=other)])
        await until_home(harness, version, other)
        assert is_sum(await harness.worker.run(version, rows_of(1)), rows_of(1))


@in_event_loop
async def test_a_host_that_drains_alone_hands_over_to_the_next_that_comes(tmp_path: Path) -> None:
    async with two_hosts(tmp_path) as (harness, factory):
        engine, door = harness.worker.engine, FarDoor("", TOKEN, 3.0)
        assert isinstance(engine, RemoteEngine)
        version = await harness.worker.upload("vk", "sum")
        first = await home_of(harness, version)
        engine.call_at([msgspec.structs.replace(door, address=first)])
        async with Stream(harness.worker, version) as stream:
            draining = asyncio.create_task(at(factory, first).door.drain())
            await stream.goes_on()
            other = next(host.address for host in factory.made if host.address != first)
            both = [msgspec.structs.replace(door, address=each) for each in (first, other)]
            engine.call_at(both)
            async with asyncio.timeout(30):
                await draining
            await stream.goes_on()
        assert stream.failures == []


@in_event_loop
async def test_an_upload_that_is_stored_while_its_host_drains_moves_too(tmp_path: Path) -> None:
    async with two_hosts(tmp_path) as (harness, factory):
        worker = harness.worker
        before = await worker.upload("vk", "sum")
        first = await home_of(harness, before)
        draining: list[asyncio.Task[None]] = []

        async def drain(_stored: ModelVersion) -> None:
            draining.append(asyncio.create_task(at(factory, first).door.drain()))
            async with asyncio.timeout(30):
                while await home_of(harness, before) in ("", first):
                    await asyncio.sleep(0.02)

        version = await worker.upload("vk", "sum", before_adopting=drain)
        async with asyncio.timeout(30):
            await draining[0]
        assert is_sum(await worker.run(version, rows_of(1)), rows_of(1))


@in_event_loop
async def test_an_upload_is_loaded_once_by_the_host_that_serves_it(tmp_path: Path) -> None:
    async with two_hosts(tmp_path) as (harness, _factory):
        for name in ("a", "b", "c"):
            version = await harness.worker.upload(name, "sum")
            before = await home_of(harness, version)
            assert is_sum(await harness.worker.run(version, rows_of(1)), rows_of(1))
            assert before
            assert await home_of(harness, version) == before
        loaded = [e.model for e in harness.events if isinstance(e, ModelLoaded)]
        assert loaded == ["a", "b", "c"]


@in_event_loop
async def test_runs_of_an_upload_wait_for_nothing(tmp_path: Path) -> None:
    async with started(DoorFactory(), tmp_path, ["engine.isolation=model"]) as harness:
        loaded = await harness.worker.prepare("vk", "sum")
        async with asyncio.timeout(15):
            for _turn in range(40):
                assert is_sum(await harness.worker.run_prepared(loaded, rows_of(1)), rows_of(1))


@in_event_loop
async def test_what_a_host_cannot_accelerate_does_not_end_its_link(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = ["engine.isolation=model", "engine.accelerate=auto"]
    settings.append(f"engine.accelerate_cache={tmp_path / 'cache'}")
    async with started(DoorFactory(), tmp_path, settings) as harness:
        for name in ("a", "b"):
            version = await harness.worker.upload(name, "sum")
            assert is_sum(await harness.worker.run(version, rows_of(1)), rows_of(1))
            assert await home_of(harness, version)
    assert "cannot be read" not in caplog.text


@in_event_loop
async def test_only_workers_that_are_there_are_asked_where_a_version_is(tmp_path: Path) -> None:
    factory = DoorFactory()
    async with started(factory, tmp_path, ["engine.isolation=model"], workers=2) as harness:
        second = await harness.start_worker(1)
        version = await harness.worker.upload("vk", "sum")
        for worker in (harness.worker, second):
            assert is_sum(await worker.run(version, rows_of(1)), rows_of(1))
        pool = factory.made[0].pool
        assert len(pool.far.users(version.key)) == 2
        await harness.stop_worker(1)
        await eventually(lambda: len(pool.far.users(version.key)) == 1, "one of two is gone")


@in_event_loop
async def test_without_a_host_a_request_is_told_why(tmp_path: Path) -> None:
    async with two_hosts(tmp_path) as (harness, factory):
        version = await harness.worker.upload("vk", "sum")
        for host in factory.made:
            await host.close()
        error = await harness.worker.try_run(version, rows_of(1))
        assert isinstance(error, Unavailable)
        assert "model 'vk' has no host at the moment, so try again: host 127.0.0.1:" in str(error)


@pytest.mark.parametrize(("merge", "lives"), [(None, 2), (False, 1)])
@in_event_loop
async def test_what_kills_a_process_is_run_once_more_if_rows_may_share_a_run(
    tmp_path: Path, merge: bool | None, lives: int
) -> None:
    async with two_hosts(tmp_path) as (harness, _factory):
        version = await harness.worker.upload("vk", "abort", batch={"merge": merge})
        assert version.mergeable is (lives == 2)
        error = await harness.worker.try_run(version, rows_of(TRIGGER))
        assert isinstance(error, ModelLost)
        await eventually(lambda: deaths(harness) >= lives, "it is known how the processes ended")
        assert deaths(harness) == lives


class Begun(asyncio.Future[list[Array]]):
    """Awaits the rows of a run that was begun."""

    def set_rows(self, outputs: list[Array], start: int, end: int) -> None:
        self.set_result([output[start:end] for output in outputs])


@in_event_loop
async def test_what_was_begun_and_lost_is_run_once_more(tmp_path: Path) -> None:
    async with two_hosts(tmp_path) as (harness, _factory):
        version = await harness.worker.upload("vk", "abort")
        beginning = harness.worker.engine.beginning
        assert beginning is not None
        few, killing = Begun(), Begun()
        assert not beginning.begin(version, [rows_of(1, 2)], 2, few)
        assert is_sum(await harness.worker.run(version, rows_of(1)), rows_of(1))
        assert beginning.begin(version, [rows_of(1, 2)], 2, few)
        assert is_sum((await few)[0], rows_of(1, 2))
        assert beginning.begin(version, [rows_of(TRIGGER)], 1, killing)
        with pytest.raises(ModelLost):
            await killing
        await eventually(lambda: deaths(harness) == 2, "it has killed two processes")


@in_event_loop
async def test_who_waits_no_longer_for_what_is_run_once_more_is_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with two_hosts(tmp_path) as (harness, _factory):
        version = await harness.worker.upload("vk", "abort")
        await harness.worker.run(version, rows_of(1))
        beginning, killing = harness.worker.engine.beginning, Begun()
        assert beginning is not None
        assert beginning.begin(version, [rows_of(TRIGGER)], 1, killing)
        await eventually(lambda: deaths(harness) >= 1, "it has killed a process")
        killing.cancel()
        await eventually(lambda: deaths(harness) == 2, "and another one")
    assert "has failed" not in caplog.text


def deaths(harness: Harness) -> int:
    return sum(isinstance(event, ModelCrashed) for event in harness.events)


async def until_home(harness: Harness, version: ModelVersion, host: str) -> None:
    """Returns once the version is ready at ``host`` alone."""
    async with asyncio.timeout(30):
        while await home_of(harness, version) != host:
            await asyncio.sleep(0.02)
