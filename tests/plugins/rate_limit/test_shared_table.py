"""Several processes count as one, in a table that does not grow."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from fcntl import LOCK_EX, LOCK_UN, lockf

import psutil
import pytest
from tfaas_plugins.rate_limit.guards import Claim
from tfaas_plugins.rate_limit.limit import OverLimit, limits_of
from tfaas_plugins.rate_limit.memory_counters import MemoryCounters
from tfaas_plugins.rate_limit.shared_table import SharedTable
from tfaas_plugins.rate_limit.size import SIZE_BYTES

from tests.plugins.rate_limit.counting import Clock, memory
from tfaas_core.shared_memory import SharedMemory

SPAWN = multiprocessing.get_context("spawn")
DAY_S = 86_400


def take_all(shared: SharedMemory, limit: int, results: multiprocessing.Queue[int]) -> None:
    table = SharedTable(shared, Clock())
    asked = range(limit)
    results.put(sum(table.acquire_sliding_window_entry("key", limit, DAY_S) for _ in asked))


def hold(shared: SharedMemory, ready: multiprocessing.Queue[int]) -> None:
    """Keeps all locks, until it is killed."""
    lockf(shared.descriptor, LOCK_EX)
    ready.put(os.getpid())
    signal.pause()


def hold_for_long(shared: SharedMemory, ready: multiprocessing.Queue[int]) -> None:
    """Keeps all locks for as long as a process may wait for a core."""
    lockf(shared.descriptor, LOCK_EX)
    ready.put(os.getpid())
    time.sleep(0.1)
    lockf(shared.descriptor, LOCK_UN)


def test_processes_let_in_together_what_one_would() -> None:
    shared, results = memory(), SPAWN.Queue()
    limit = 2_000
    processes = [SPAWN.Process(target=take_all, args=(shared, limit, results)) for _ in range(3)]
    for process in processes:
        process.start()
    counts = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sum(counts) == limit


def test_a_process_that_has_no_core_for_a_while_is_waited_for() -> None:
    shared, ready = memory(), SPAWN.Queue()
    holder = SPAWN.Process(target=hold_for_long, args=(shared, ready))
    holder.start()
    ready.get(timeout=60)
    assert SharedTable(shared, Clock()).acquire_sliding_window_entry("key", 1, DAY_S)
    holder.join()


def test_a_killed_process_holds_nobody_up_and_a_stopped_one_not_for_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shared, ready, clock = memory(), SPAWN.Queue(), Clock()
    holder = SPAWN.Process(target=hold, args=(shared, ready))
    holder.start()
    psutil.Process(ready.get(timeout=60)).suspend()
    counters = MemoryCounters(shared, clock)
    claims = [Claim(limits_of("client", "1/day", "$")[0], "somebody")]
    for _ in range(200):
        counters.take(claims)  # which would take 4 s if each of them waited
        clock.now_s += 0.02
    assert caplog.text.count("requests cannot be counted, so all are let in without limits") == 1
    holder.kill()
    holder.join()
    clock.now_s += 2
    counters.take(claims)
    with pytest.raises(OverLimit):
        counters.take(claims)


def test_a_full_table_forgets_what_ends_first() -> None:
    clock = Clock()
    table = SharedTable(memory(buckets=1), clock)
    old = [f"old{number}" for number in range(8)]
    for key in old:
        assert table.acquire_sliding_window_entry(key, 1, 60)
    clock.now_s += 60
    assert table.acquire_sliding_window_entry("lasting", 1, DAY_S)
    for number in range(100):
        assert table.acquire_sliding_window_entry(f"new{number}", 1, 60)
    assert not table.acquire_sliding_window_entry("lasting", 1, DAY_S)
    assert not table.acquire_sliding_window_entry("new99", 1, 60)


def test_many_clients_fit_and_their_memory_has_a_bound() -> None:
    table = SharedTable(SharedMemory(SIZE_BYTES), Clock())
    clients = range(100_000)
    assert all(table.acquire_sliding_window_entry(str(n), 1, 60) for n in clients)
    again = sum(table.acquire_sliding_window_entry(str(n), 1, 60) for n in clients)
    assert again < 10, "hardly any of them was forgotten"
    assert SIZE_BYTES < 26_000_000


def test_counts_end_with_their_windows() -> None:
    clock = Clock()
    clock.now_s = 600.0
    table = SharedTable(memory(), clock)
    for _ in range(4):
        table.acquire_sliding_window_entry("key", 10, 60)
    assert table.get_sliding_window("key", 60) == (0, 60.0, 4, 120.0)
    clock.now_s = 690.0
    assert table.get_sliding_window("key", 60) == (4, 30.0, 0, 90.0)
    clock.now_s = 720.0
    assert table.get_sliding_window("key", 60) == (0, 60.0, 0, 120.0)
