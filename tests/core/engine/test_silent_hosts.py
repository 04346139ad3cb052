"""Hosts that are connected, and do not answer."""

from __future__ import annotations

import asyncio
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.core.engine.hanging_host import Cable, hanging_host
from tfaas_core.engine.base import Engine
from tfaas_core.engine.in_front.dialling import FarDoor
from tfaas_core.engine.in_front.placement import Placement
from tfaas_core.engine.in_front.remote_engine import RemoteEngine
from tfaas_core.errors import Unavailable
from tfaas_core.testing.engine_harness import rows_of, started
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.suites.engine.door import TOKEN, DoorFactory
from tfaas_core.testing.waiting import eventually


def states(engine: Engine) -> dict[str, str]:
    return {each.host: each.state for each in engine.hosts()}


@in_event_loop
async def test_who_asks_what_is_loaded_waits_for_none_of_them_for_long(tmp_path: Path) -> None:
    processes = ["engine.isolation=model"]
    async with started(made := DoorFactory(), tmp_path, processes) as harness, hanging_host() as it:
        engine, address = harness.worker.engine, made.made[0].address
        assert isinstance(engine, RemoteEngine)
        order = Placement([address, it.address]).order
        name = next(f"vk{number}" for number in itertools.count() if order(f"vk{number}")[0] == 0)
        await harness.worker.upload(name, "sum")
        engine.call_at([FarDoor(address, TOKEN, 60.0), FarDoor(it.address, TOKEN, 0.5)])
        serve = {address: "serves", it.address: "serves"}
        await eventually(lambda: states(engine) == serve, "both are connected")
        async with asyncio.timeout(60):
            told = await asyncio.gather(*[engine.servables() for _ in range(20)])
            said = it.heard()
            told.append(await engine.servables())
        assert [[each.model for each in one] for one in told] == [[f"{name}/1"]] * 21
        assert states(engine) == {address: "serves", it.address: "silent"}
        assert "has not answered within 0.5 s" in engine.hosts()[1].why
        assert said == it.heard() != b"", "it was asked once"


@in_event_loop
async def test_who_asks_while_one_of_them_is_left_out_is_told_of_the_others(tmp_path: Path) -> None:
    async with started(DoorFactory(), tmp_path, []) as harness, hanging_host() as it:
        engine = harness.worker.engine
        assert isinstance(engine, RemoteEngine)
        engine.call_at([FarDoor(it.address, TOKEN, 60.0)])
        await eventually(lambda: states(engine)[it.address] == "serves", "it is connected")
        asking = asyncio.create_task(engine.servables())
        await eventually(lambda: it.heard() != b"", "it is asked")
        await engine.close()
        async with asyncio.timeout(60):
            assert await asking == []


@in_event_loop
async def test_one_whose_threads_all_wait_for_files_is_none_of_them(tmp_path: Path) -> None:
    are_there, loop = threading.Event(), asyncio.get_running_loop()
    async with started(DoorFactory(), tmp_path, []) as harness:
        await harness.worker.upload("vk", "sum")
        loop.set_default_executor(ThreadPoolExecutor(1))
        waiting = loop.run_in_executor(None, are_there.wait)
        try:
            assert [each.model for each in await harness.worker.engine.servables()] == ["vk/1"]
        finally:
            are_there.set()
            await waiting


@pytest.mark.parametrize("timeout_s", [0.01, 1], ids=["as one that is dead", "as a request"])
@in_event_loop
async def test_uploads_and_roll_backs_to_one_of_them_are_given_up(
    tmp_path: Path, timeout_s: float
) -> None:
    settings = ["engine.isolation=model", f"server.request_timeout_s={timeout_s}"]
    async with started(DoorFactory(), tmp_path, settings) as harness, hanging_host() as it:
        worker = harness.worker
        engine = worker.engine
        assert isinstance(engine, RemoteEngine)
        stored = worker.store("vk", "sum")
        engine.call_at([FarDoor(it.address, TOKEN, 0.5)])
        await eventually(lambda: states(engine)[it.address] == "serves", "it is connected")
        why = f"host {it.address} .* has answered nothing for {max(timeout_s, 0.5):g} s; try again"
        async with asyncio.timeout(60):
            for asking in (worker.upload("vk", "sum"), engine.ready(stored)):
                with pytest.raises(Unavailable, match=why):
                    await asking


@in_event_loop
async def test_so_are_examples_of_an_upload_if_it_hangs_before_them(tmp_path: Path) -> None:
    settings = ["engine.isolation=model", "server.request_timeout_s=3"]
    async with started(made := DoorFactory(), tmp_path, settings) as harness:
        worker, engine = harness.worker, harness.worker.engine
        assert isinstance(engine, RemoteEngine)
        async with Cable.to(made.made[0].address) as it:
            engine.call_at([FarDoor(it.address, TOKEN, 1.0)])
            await eventually(lambda: states(engine)[it.address] == "serves", "it is connected")
            loaded = await worker.prepare("vk", "sum")
            it.hangs.set()
            with pytest.raises(Unavailable, match="has answered nothing for 3 s; try again"):
                await worker.run_prepared(loaded, rows_of(1))
            engine.discard(loaded.ticket)
