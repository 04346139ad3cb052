"""Memory that processes share."""

from __future__ import annotations

import gc
import multiprocessing
import os
from pathlib import Path

import pytest

from tfaas_core.errors import PluginError
from tfaas_core.hookspecs import hookimpl
from tfaas_core.shared_memory import SharedMemory
from tfaas_core.testing.hosts import host_of
from tfaas_core.testing.loops import in_event_loop


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
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=write, args=(memory, place)) for place in (1, 9)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert list(memory.bytes[:]) == [0, 1, 0, 0, 0, 0, 0, 0, 0, 9]


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
