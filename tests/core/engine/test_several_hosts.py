"""A model on several hosts at once, and hosts that have no room for another one."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tfaas_core.engine.base import WorkerContext
from tfaas_core.engine.in_front.dialling import FarDoor
from tfaas_core.engine.in_front.placement import Placement
from tfaas_core.engine.in_front.remote_engine import RemoteEngine
from tfaas_core.engine.in_front.spread import SpreadSettings
from tfaas_core.engine.in_front.spreading_engine import SpreadingEngine
from tfaas_core.events import ModelLoaded
from tfaas_core.models.model import ModelVersion
from tfaas_core.testing.engine_harness import Stream, Worker, is_sum, rows_of, started
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.suites.engine.door import DoorFactory

PROCESSES = "engine.isolation=model"


class Hosts(DoorFactory):
    def __init__(self, hosts: int) -> None:
        super().__init__()
        self.hosts = hosts

    def named(self, prefix: str, *first: int) -> str:
        """A model's name in whose order these hosts are the first ones."""
        order = Placement([host.address for host in self.made]).order
        names = (f"{prefix}{number}" for number in itertools.count())
        return next(name for name in names if [*order(name)[: len(first)]] == [*first])


class Deciding(Hosts):
    def engine_at(self, context: WorkerContext, doors: Sequence[FarDoor]) -> RemoteEngine:
        return SpreadingEngine(context, doors, SpreadSettings(most=2, rows=4, calm_s=1.0))


def spread(worker: Worker, **replicas: int) -> RemoteEngine:
    engine = worker.engine
    assert isinstance(engine, RemoteEngine)
    engine.spread(replicas)
    return engine


async def hosts_of(worker: Worker, version: ModelVersion) -> list[str]:
    """Where it is loaded, or being loaded, as the engine tells."""
    told = await worker.engine.servables()
    return [each.host for each in told if each.model == version.reference]


async def until_on(worker: Worker, version: ModelVersion, count: int) -> Sequence[str]:
    """Returns the hosts once it is ready on so many, and nowhere else."""
    async with asyncio.timeout(60):
        while True:
            told = await worker.engine.servables()
            own = [each for each in told if each.model == version.reference]
            if len(own) == count and all(each.state == "ready" for each in own):
                return [each.host for each in own]
            await asyncio.sleep(0.02)


async def asks(worker: Worker, version: ModelVersion) -> None:
    """Asks again and again."""
    while True:
        assert is_sum(await worker.run(version, rows_of(1)), rows_of(1))


@asynccontextmanager
async def asked_by(worker: Worker, version: ModelVersion, clients: int) -> AsyncIterator[None]:
    """So many clients ask for the version, while the block lasts."""
    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(asks(worker, version)) for _client in range(clients)]
        yield
        for task in asking:
            task.cancel()


async def until_busy(worker: Worker, version: ModelVersion, count: int) -> None:
    """Returns once so many hosts have rows of the version in flight."""
    async with asyncio.timeout(60):
        while True:
            told = await worker.engine.servables()
            own = [each for each in told if each.model == version.reference]
            if sum(each.rows_in_flight > 0 for each in own) == count:
                return
            await asyncio.sleep(0.01)


@in_event_loop
async def test_a_model_is_spread_and_gathered_and_its_versions_change_without_a_failed_request(
    tmp_path: Path,
) -> None:
    async with started(Hosts(2), tmp_path, [PROCESSES]) as harness:
        worker = harness.worker
        first, alone = await worker.upload("vk", "sum"), await worker.upload("n", "add-up")
        (home,) = await until_on(worker, first, 1)
        async with Stream(worker, first) as stream:
            spread(worker, vk=2, n=2)
            await until_on(worker, first, 2)
            await stream.goes_on()
            second = await worker.upload("vk", "sum")
            await worker.engine.ready(second)
            told = await worker.engine.servables()
            states = [status.state for status in told if status.model == second.reference]
            assert states == ["ready", "ready"]
            stream.version = second
            await stream.goes_on()
            worker.retire(first)
            await until_on(worker, first, 0)
            # What keeps state is nowhere else.
            assert [(await worker.run(alone, rows_of(1))).item() for _ in range(4)] == [1, 2, 3, 4]
            spread(worker)
            assert await until_on(worker, second, 1) == [home]
            await stream.goes_on()
        assert stream.failures == []


@in_event_loop
async def test_a_host_that_is_not_wanted_any_more_by_the_time_it_is_ready_is_let_go(
    tmp_path: Path,
) -> None:
    async with started(Hosts(2), tmp_path, [PROCESSES]) as harness:
        worker = harness.worker
        version = await worker.upload("vk", "sleep 0.2")
        (home,) = await until_on(worker, version, 1)
        spread(worker, vk=2)
        async with asyncio.timeout(60):
            while len(await hosts_of(worker, version)) < 2:
                await asyncio.sleep(0.01)
        spread(worker)
        assert await until_on(worker, version, 1) == [home]


@in_event_loop
async def test_all_hosts_of_a_model_are_asked_and_one_that_goes_is_replaced(
    tmp_path: Path,
) -> None:
    async with started(hosts := Hosts(3), tmp_path, [PROCESSES]) as harness:
        worker = harness.worker
        version = await worker.upload("vk", "sleep 0.02", batch={"merge": False})
        spread(worker, vk=2)
        both = await until_on(worker, version, 2)
        async with asked_by(worker, version, 4):
            await until_busy(worker, version, 2)
        gone = next(host for host in hosts.made if host.address == both[0])
        await gone.close()
        assert is_sum(await worker.run(version, rows_of(1)), rows_of(1))
        assert both[0] not in await until_on(worker, version, 2)


@in_event_loop
async def test_a_server_by_itself_spreads_what_it_asks_much_for_and_gathers_it_again(
    tmp_path: Path,
) -> None:
    async with started(Deciding(2), tmp_path, [PROCESSES]) as harness:
        version = await harness.worker.upload("vk", "sleep 0.02")
        async with asked_by(harness.worker, version, 12):
            await until_on(harness.worker, version, 2)
        await until_on(harness.worker, version, 1)


@in_event_loop
async def test_a_host_that_is_full_of_what_is_used_passes_a_model_on_and_all_workers_find_it(
    tmp_path: Path,
) -> None:
    settings = [PROCESSES, "engine.max_loaded_models=1"]
    async with started(hosts := Hosts(2), tmp_path, settings, workers=2) as harness:
        worker = harness.worker
        a, b = [await worker.upload(name, "sum") for name in "ab"]
        other = await harness.start_worker(1)
        for each in (worker, other):
            for version in (a, b):
                assert is_sum(await each.run(version, rows_of(1)), rows_of(1))
        homes = [*await until_on(worker, a, 1), *await until_on(worker, b, 1)]
        assert set(homes) == {host.address for host in hosts.made}
        loads = [each.model for each in harness.events if isinstance(each, ModelLoaded)]
        assert loads == ["a", "b"]
        # Where there is no room anywhere, what was used least recently goes.
        c = await other.upload("c", "sum")
        assert is_sum(await worker.run(c, rows_of(1)), rows_of(1))
        await until_on(worker, c, 1)
        (gone,) = [each for each in (a, b) if not await hosts_of(worker, each)]
        assert is_sum(await other.run(gone, rows_of(1)), rows_of(1))


@in_event_loop
async def test_a_host_that_passes_a_model_on_is_not_asked_to_make_room_for_its_other_versions(
    tmp_path: Path,
) -> None:
    settings = [PROCESSES, "engine.max_loaded_models=1"]
    async with started(hosts := Hosts(2), tmp_path, settings) as harness:
        worker = harness.worker
        homes = [host.address for host in hosts.made]
        first = await worker.upload(name := hosts.named("a", 0), "sum")
        other = await worker.upload(hosts.named("b", 1), "sum")
        hot = await worker.upload(hosts.named("c", 0), "sum")
        assert await until_on(worker, hot, 1) == [homes[0]]
        await until_on(worker, first, 0)
        worker.retire(other)
        await until_on(worker, other, 0)
        second = await worker.upload(name, "sum")
        assert await until_on(worker, second, 1) == [homes[1]]
        assert is_sum(await worker.run(first, rows_of(1)), rows_of(1))
        assert await until_on(worker, first, 1) == [homes[1]]
        assert await hosts_of(worker, hot) == [homes[0]]


@in_event_loop
async def test_a_model_on_several_hosts_that_are_full_by_now_goes_to_one_that_has_room(
    tmp_path: Path,
) -> None:
    settings = [PROCESSES, "engine.max_loaded_models=1"]
    async with started(hosts := Hosts(3), tmp_path, settings) as harness:
        worker = harness.worker
        homes = [host.address for host in hosts.made]
        version = await worker.upload(name := hosts.named("a", 0, 1), "sum")
        assert is_sum(await worker.run(version, rows_of(1)), rows_of(1))
        spread(worker, **{name: 2})
        assert {*await until_on(worker, version, 2)} == {*homes[:2]}
        goes = await worker.upload(hosts.named("b", 2), "sum")
        hot = [await worker.upload(hosts.named("c", place), "sum") for place in (0, 1)]
        await until_on(worker, version, 0)
        worker.retire(goes)
        await until_on(worker, goes, 0)
        assert is_sum(await worker.run(version, rows_of(1)), rows_of(1))
        assert await until_on(worker, version, 1) == [homes[2]]
        assert [await hosts_of(worker, each) for each in hot] == [[homes[0]], [homes[1]]]
