"""Memory that processes share."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from tfaas_core.errors import PluginError
from tfaas_core.hookspecs import hookimpl
from tfaas_core.shared_memory import LockHeld, SharedMemory
from tfaas_core.testing.hosts import host_of
from tfaas_core.testing.loops import in_event_loop

SPAWN = multiprocessing.get_context("spawn")


class Sharing:
    """A plugin that registers ``sizes``."""

    def __init__(self, sizes: object) -> None:
        self._sizes = sizes

    @hookimpl
    def tfaas_register_memory(self) -> object:
        return self._sizes


def write(memory: SharedMemory, place: int) -> None:
    memory.bytes[place] = place


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_what_one_process_writes_another_reads() -> None:
    memory = SharedMemory(10)
    assert memory.bytes[:] == bytes(10)
    processes = [SPAWN.Process(target=write, args=(memory, place)) for place in (1, 9)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert list(memory.bytes[:]) == [0, 1, 0, 0, 0, 0, 0, 0, 0, 9]


def hold(memory: SharedMemory, held: multiprocessing.Queue[int]) -> None:
    memory.lock(3)
    held.put(os.getpid())
    signal.pause()


def test_a_lock_ends_with_its_process_and_one_of_a_stopped_process_holds_nobody_for_long() -> None:
    memory, held = SharedMemory(10), SPAWN.Queue()
    holder = SPAWN.Process(target=hold, args=(memory, held))
    holder.start()
    psutil.Process(held.get(timeout=60)).suspend()
    memory.lock(2)
    memory.unlock(2)
    since_s = time.thread_time()
    with pytest.raises(LockHeld):
        memory.lock(3)
    assert time.thread_time() - since_s < 0.05
    holder.kill()
    holder.join()
    memory.lock(3)
    memory.unlock(3)


def count(memory: SharedMemory, times: int) -> None:
    for _ in range(times):
        memory.lock()
        number = int.from_bytes(memory.bytes[:4], "little") + 1
        memory.bytes[:4] = number.to_bytes(4, "little")
        memory.unlock()


def test_between_lock_and_unlock_is_one_process() -> None:
    memory = SharedMemory(10)
    processes = [SPAWN.Process(target=count, args=(memory, 2_000)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert int.from_bytes(memory.bytes[:4], "little") == 4_000


def test_it_is_gone_with_its_last_user() -> None:
    gc.collect()
    before = open_files()
    memory = SharedMemory(10)
    assert os.fstat(memory.descriptor).st_nlink == 0
    assert open_files() > before
    del memory
    assert open_files() == before


@in_event_loop
async def test_a_host_has_what_plugins_register() -> None:
    async with host_of([Sharing({"count": 4096}), Sharing({"more": 1})]) as host:
        sizes = {name: len(memory.bytes) for name, memory in host.memory.items()}
    async with host_of() as host:
        built_in = {name: len(memory.bytes) for name, memory in host.memory.items()}
    assert sizes == built_in | {"count": 4096, "more": 1}
    assert {"count", "more"}.isdisjoint(built_in)


@pytest.mark.parametrize(
    ("sizes", "what"),
    [
        ([7], "expected a mapping of names to sizes in bytes, from 1 to 2**40"),
        ({"count": 0}, "returned {'count': 0} from tfaas_register_memory, expected a mapping"),
        ({"count": True}, "expected a mapping of names to sizes in bytes"),
        ({"count": 2**40 + 1}, "expected a mapping of names to sizes in bytes"),
        ({"a b": 1}, "returned the name 'a b' from tfaas_register_memory"),
    ],
)
@in_event_loop
async def test_what_is_no_size_is_a_start_up_error(sizes: object, what: str) -> None:
    with pytest.raises(PluginError) as caught:
        async with host_of([Sharing(sizes)]):
            pass
    assert what in caught.value.message


@in_event_loop
async def test_a_name_belongs_to_one_plugin() -> None:
    with pytest.raises(PluginError) as caught:
        async with host_of([Sharing({"count": 1}), Sharing({"count": 1})]):
            pass
    assert "the memory `count`" in caught.value.message
