"""What is counted of requests, whatever becomes of the HTTP workers that count."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import psutil
from tfaas_plugins.protocols.oip.sizes import MEMORY_BYTES
from tfaas_plugins.protocols.oip.statistics import Statistics

from tfaas_core.shared_memory import SharedMemory
from tfaas_core.testing.models import model_version

VERSION = model_version()


def hold(memory: SharedMemory, held: multiprocessing.Queue[int]) -> None:
    for place in range(10):
        memory.lock(place)
    held.put(os.getpid())
    signal.pause()


def failures(statistics: Statistics) -> int:
    count = statistics.document(VERSION)["inference_stats"]["fail"]["count"]
    assert isinstance(count, int)
    return count


def test_a_stopped_worker_holds_up_no_request_and_a_killed_one_no_count() -> None:
    context = multiprocessing.get_context("spawn")
    memory, held = SharedMemory(MEMORY_BYTES), context.Queue()
    holder = context.Process(target=hold, args=(memory, held))
    holder.start()
    psutil.Process(held.get(timeout=60)).suspend()
    waiting = Statistics(memory)
    since_s = time.thread_time()
    for _ in range(200):  # which would take 4 s if each of them waited
        waiting.failed(VERSION, 0.0)
    assert time.thread_time() - since_s < 1
    assert failures(waiting) == 0
    holder.kill()
    holder.join()
    other = Statistics(memory)
    other.failed(VERSION, 0.0)
    assert failures(other) == failures(waiting) == 1
