"""All HTTP workers agree on which series are counted where, however many there are."""

from __future__ import annotations

import multiprocessing
import os
import signal
from fcntl import LOCK_EX, lockf
from itertools import pairwise

import psutil
import pytest
from tfaas_plugins.metrics import directory as directory_module
from tfaas_plugins.metrics import families as f
from tfaas_plugins.metrics.cells import AllCells, Cells
from tfaas_plugins.metrics.directory import NOWHERE, OTHER, Directory
from tfaas_plugins.metrics.shared import MOST_CELLS, MOST_MODELS, size_bytes

from tfaas_core.shared_memory import SharedMemory

SPAWN = multiprocessing.get_context("spawn")
NAMES = [f"model-{n}" for n in range(100)]


def memory() -> SharedMemory:
    return SharedMemory(size_bytes(2))


def find_all(shared: SharedMemory, found: multiprocessing.Queue[list[int]]) -> None:
    directory = Directory(shared)
    found.put([find(directory, name) for name in NAMES])


def find(directory: Directory, name: str) -> int:
    """Its cells, however long another process that holds the lock does not get a core."""
    while (at := directory.find(f.LOADS, name)) in (NOWHERE, directory.find(f.LOADS, OTHER)):
        pass
    return at


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


def test_places_that_were_given_back_are_for_others_and_all_else_stays_where_it_is() -> None:
    shared = memory()
    mine, theirs = Directory(shared), Directory(shared)
    for n in range(MOST_MODELS):
        mine.find(f.LOADS, f"model-{n}")
    assert theirs.find(f.LOADS, "late") == theirs.find(f.LOADS, OTHER)
    kept = {n: mine.find(f.LOADS, f"model-{n}") for n in range(0, MOST_MODELS, 2)}
    assert mine.give_back({f"model-{n}" for n in range(1, MOST_MODELS, 2)})
    for directory in (mine, theirs, Directory(shared)):
        assert {n: directory.find(f.LOADS, f"model-{n}") for n in kept} == kept
        assert len(directory.models) == MOST_MODELS // 2
        assert directory.find(f.LOADS, "late") != directory.find(f.LOADS, OTHER)
        assert directory.find(f.LOADS, "late") == mine.find(f.LOADS, "late")
        assert directory.give_back({"late"})


def test_cells_that_were_given_back_are_used_again_once_they_have_rested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shared = memory()
    directory, cells = Directory(shared), Cells(shared, 1)
    at = directory.find(f.DURATIONS, "old")
    cells.counts[at + 3] = 7
    cells.exemplify(at + 3, 0.001, "of-old")
    directory.give_back({"old"})
    assert directory.find(f.DURATIONS, "soon") != at
    cells.counts[at + 3] += 1  # by a worker that has not noticed yet
    monkeypatch.setattr(directory_module, "_REST_S", 0.0)
    assert directory.find(f.DURATIONS, "late") == at
    all_cells = AllCells(shared)
    assert all_cells.totals(directory.series, directory.next_cell)[at + 3] == 0
    assert all_cells.exemplars() == {}
    ends = sorted((each.at, each.at + each.family.cells) for each in directory.series)
    assert all(end <= begin for (_, end), (begin, _) in pairwise(ends))


def test_models_that_come_and_go_for_long_need_no_more_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(directory_module, "_REST_S", 0.0)
    shared = memory()
    directory = Directory(shared)
    directory.find(f.DURATIONS, "stays")
    for turn in range(30):
        names = [f"model-{turn}-{n}" for n in range(900)]
        assert {directory.find(f.DURATIONS, name) for name in names}.isdisjoint(
            {directory.find(f.DURATIONS, OTHER), NOWHERE}
        )
        assert directory.give_back(names)
    assert directory.next_cell < 1000 * f.DURATIONS.cells
    assert [each.labels for each in Directory(shared).of_family[f.DURATIONS]] == [
        ("stays",),
        (OTHER,),
    ]


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
