"""All HTTP workers agree on which series are counted where, however many there are."""

from __future__ import annotations

import multiprocessing
import os
import signal
from fcntl import LOCK_EX, lockf

import psutil
from tfaas_plugins.metrics import families as f
from tfaas_plugins.metrics.directory import NOWHERE, OTHER, Directory
from tfaas_plugins.metrics.shared import MOST_CELLS, MOST_MODELS, size_bytes

from tfaas_core.shared_memory import SharedMemory

SPAWN = multiprocessing.get_context("spawn")
NAMES = [f"model-{n}" for n in range(100)]


def memory() -> SharedMemory:
    return SharedMemory(size_bytes(2))


def find_all(shared: SharedMemory, found: multiprocessing.Queue[list[int]]) -> None:
    directory = Directory(shared)
    found.put([directory.find(f.LOADS, name) for name in NAMES])


def hold(shared: SharedMemory, ready: multiprocessing.Queue[int]) -> None:
    lockf(shared.descriptor, LOCK_EX)
    ready.put(os.getpid())
    signal.pause()


def test_processes_that_ask_at_once_get_the_same_cells() -> None:
    shared, found = memory(), SPAWN.Queue()
    processes = [SPAWN.Process(target=find_all, args=(shared, found)) for _ in range(3)]
    for process in processes:
        process.start()
    first, *others = [found.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert len(set(first)) == len(NAMES)
    assert others == [first, first]


def test_no_two_series_share_a_cell() -> None:
    directory = Directory(memory())
    for name in NAMES:
        directory.find(f.DURATIONS, name)
        directory.find(f.LOADS, name)
    cells = [each.at + n for each in directory.series for n in range(each.family.cells)]
    assert len(set(cells)) == len(cells)
    assert NOWHERE not in cells


def test_models_that_are_too_many_are_counted_as_one() -> None:
    shared = memory()
    directory = Directory(shared)
    own = {directory.find(f.LOADS, f"model-{n}") for n in range(MOST_MODELS)}
    others = {directory.find(f.LOADS, f"late-{n}") for n in range(10_000)}
    assert len(own) == MOST_MODELS
    assert len(others) == 1
    assert others.isdisjoint(own)
    again = Directory(shared)
    assert again.find(f.UNLOADS, "late", "evicted") == again.find(f.UNLOADS, OTHER, "evicted")
    assert again.find(f.DURATIONS, "model-7") != again.find(f.DURATIONS, OTHER)


def test_versions_that_are_too_many_are_counted_as_one() -> None:
    directory = Directory(memory())
    for number in range(40_000):
        at = directory.find(f.PREDICTIONS, "sum", str(number), "json", "200")
    assert at == directory.find(f.PREDICTIONS, "sum", OTHER, "json", "200") != NOWHERE
    assert directory.next_cell <= MOST_CELLS


def test_a_stopped_process_holds_nobody_up_for_long_and_a_killed_one_not_at_all() -> None:
    shared, ready = memory(), SPAWN.Queue()
    holder = SPAWN.Process(target=hold, args=(shared, ready))
    holder.start()
    psutil.Process(ready.get(timeout=60)).suspend()
    directory = Directory(shared)
    assert directory.find(f.LOADS, "sum") == NOWHERE
    holder.kill()
    holder.join()
    assert directory.find(f.LOADS, "sum") != NOWHERE
