"""What is counted of requests, whatever becomes of the HTTP workers that count."""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import Any

import psutil
from tfaas_plugins.protocols.oip.models.sizes import memory_bytes
from tfaas_plugins.protocols.oip.models.statistics import Statistics

from tfaas_core.shared_memory import SharedMemory
from tfaas_core.testing.models import model_version
from tfaas_core.visit import Visit

VERSION = model_version()
OTHER = model_version(name="other")


def hold(memory: SharedMemory, held: multiprocessing.Queue[int]) -> None:
    statistics = Statistics(memory, 1)
    statistics.failed(VERSION, 0.0)
    for place in range(10):
        memory.lock(place)
    held.put(os.getpid())
    signal.pause()


def failures(statistics: Statistics) -> int:
    count = statistics.document(VERSION)["inference_stats"]["fail"]["count"]
    assert isinstance(count, int)
    return count


def test_a_stopped_worker_holds_up_nobody_and_a_killed_one_takes_no_count_away() -> None:
    context = multiprocessing.get_context("spawn")
    memory, held = SharedMemory(memory_bytes(2)), context.Queue()
    holder = context.Process(target=hold, args=(memory, held))
    holder.start()
    psutil.Process(held.get(timeout=60)).suspend()
    first = Statistics(memory, 0)
    for _ in range(200):
        first.failed(VERSION, 0.0)
    assert failures(first) == 201
    holder.kill()
    holder.join()
    again = Statistics(memory, 1)
    again.failed(VERSION, 0.0)
    assert failures(first) == failures(again) == 202


def test_what_workers_count_is_told_as_one() -> None:
    memory = SharedMemory(memory_bytes(3))
    workers = [Statistics(memory, number) for number in range(3)]
    for number, worker in enumerate(workers, 1):
        visit = Visit(run_s=0.5 * number, wait_s=0.25)
        worker.succeeded(VERSION, visit, rows=number, begin_s=0.0, run_s=1.0)
    told: dict[str, Any] = workers[0].document(VERSION)
    assert (told["inference_count"], told["execution_count"]) == (6, 3)
    stats = told["inference_stats"]
    assert stats["compute_infer"] == {"count": 3, "ns": 3_000_000_000}
    assert stats["queue"] == {"count": 3, "ns": 750_000_000}
    assert stats["compute_input"] == {"count": 3, "ns": 3_000_000_000}
    assert told["last_inference"] > 1_600_000_000_000
    assert workers[1].document(VERSION) == told
    assert workers[0].document(OTHER)["inference_count"] == 0


def test_versions_beyond_what_there_is_room_for_are_not_counted() -> None:
    statistics = Statistics(SharedMemory(memory_bytes(1)), 0)
    versions = [model_version(name=f"m{number}") for number in range(3000)]
    for version in versions:
        statistics.failed(version, 0.0)
    counts = [statistics.document(each)["inference_stats"]["fail"]["count"] for each in versions]
    assert set(counts) == {0, 1}
    assert sum(counts) > 1000
