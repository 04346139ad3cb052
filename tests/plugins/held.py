"""How long work of a thread keeps all other threads from running.

What counts is the time of the processor for which the interpreter alone kept others from running.
It is compared with that of a fixed piece of such work: a slower processor is allowed so much more.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache

import msgspec

from tfaas_core.system.resources.thread_times import ThreadTimes

MOST_HELD_S = 0.05
_PIECE = b"[" + b"[1,2,3]," * 40_000 + b"0]"
_PIECE_S = 0.006
"""What reading it takes where 50 ms were measured; a faster processor is not allowed less."""
_TRIES = 6


@cache
def most_held_s() -> float:
    """What 50 ms there are here."""
    return MOST_HELD_S * max(1.0, min(_piece_s() for _ in range(20)) / _PIECE_S)


def _piece_s() -> float:
    begin_s = time.thread_time()
    msgspec.json.decode(_PIECE)
    return time.thread_time() - begin_s


def is_quick(work: Callable[[], object]) -> bool:
    """Whether no step of ``work`` keeps others from running for longer than 50 ms."""
    with _collecting_as_workers_do():
        return any(_held_s(work) < most_held_s() for _ in range(_TRIES))


@contextmanager
def _collecting_as_workers_do() -> Iterator[None]:
    """An HTTP worker does not look for cycles among what was there before, nor as often."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def _held_s(work: Callable[[], object]) -> float:
    """How long at most a thread that does the work keeps others from running.

    That this thread had to wait for a core meanwhile is the machine's affair.
    """
    times = ThreadTimes(threading.get_native_id())
    thread = threading.Thread(target=work)
    thread.start()
    worst = before = 0.0
    starved_s = times.read().starved_s
    with suppress(OSError):  # it has ended
        clock = time.pthread_getcpuclockid(thread.ident or 0)
        while thread.is_alive():
            time.sleep(0.0005)
            now, now_starved_s = time.clock_gettime(clock), times.read().starved_s
            worst = max(worst, now - before - (now_starved_s - starved_s))
            before, starved_s = now, now_starved_s
    thread.join()
    times.close()
    return worst
