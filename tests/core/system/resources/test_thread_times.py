from __future__ import annotations

import os
import threading
import time

from tfaas_core.system.resources.thread_times import ThreadTimes, moment_of, starved_s


def test_a_thread_that_computes_is_busy_and_one_that_waits_is_not() -> None:
    times = ThreadTimes(threading.get_native_id())
    before, begin_s = times.read(), time.thread_time()
    while time.thread_time() <= begin_s + 0.02:
        pass
    busy = times.read()
    time.sleep(0.05)
    after = times.read()
    times.close()
    assert busy.busy_s - before.busy_s > 0.015
    assert busy.busy_s - before.busy_s + busy.starved_s - before.starved_s < (
        busy.now_s - before.now_s + 0.01
    )
    assert after.busy_s - busy.busy_s < 0.02
    assert after.now_s - busy.now_s >= 0.05


def test_of_a_thread_that_is_not_there_nothing_is_known() -> None:
    times = ThreadTimes(2**30)
    assert (times.read().busy_s, times.read().starved_s) == (0, 0)
    times.close()


def test_how_long_a_thread_got_no_core_is_known_without_a_reader_of_its_own() -> None:
    thread = threading.get_native_id()
    times = ThreadTimes(thread)
    first, told, last = times.read(), starved_s(os.getpid(), thread), times.read()
    times.close()
    assert first.starved_s <= told <= last.starved_s
    assert moment_of([os.getpid()]).starved_s >= last.starved_s


def test_who_is_not_there_is_not_starved() -> None:
    assert starved_s(2**30) == 0
    assert starved_s(os.getpid(), 2**30) == 0
    assert moment_of([2**30]).starved_s == 0
