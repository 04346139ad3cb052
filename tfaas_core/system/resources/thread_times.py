"""ThreadTimes: what a thread of this process has done, as the kernel counts it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec


class Moment(msgspec.Struct, frozen=True):
    """``now_s``: by the monotonic clock. Until then, a thread has been running for ``busy_s``, and
    waiting for a core for ``starved_s``.
    """

    now_s: float
    busy_s: float = 0.0
    starved_s: float = 0.0


class ThreadTimes:
    """The times of one thread, by its native id. Where the kernel does not count, they are 0."""

    def __init__(self, thread: int) -> None:
        path = Path(f"/proc/self/task/{thread}/schedstat")
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC) if path.exists() else None

    def read(self) -> Moment:
        """They are up to date; this takes microseconds."""
        now_s = time.monotonic()
        if self._descriptor is None:
            return Moment(now_s)
        busy_ns, starved_ns, _slices = os.pread(self._descriptor, 100, 0).split()
        return Moment(now_s, int(busy_ns) / 1e9, int(starved_ns) / 1e9)

    def close(self) -> None:
        """It is not read any more."""
        if self._descriptor is not None:
            os.close(self._descriptor)


def starved_s(process: int, thread: int | None = None) -> float:
    """For how long a thread, or the main one of a process, could have run, and got no core.

    Where the kernel does not count, and if it is gone, it is 0.
    """
    return _times(Path(f"/proc/{process}/task/{thread or process}"))[1]


def main_moment(process: int) -> Moment:
    """The times of a process' main thread; where the kernel does not count, and if it is gone, 0.

    A core that it waits for is counted once it has got it.
    """
    return Moment(time.monotonic(), *_times(Path(f"/proc/{process}/task/{process}")))


def moment_of(processes: Iterable[int]) -> Moment:
    """The times of all threads that these have now, together."""
    now_s, busy_s, starved_s = time.monotonic(), 0.0, 0.0
    for process in processes:
        with suppress(OSError):
            for times in map(_times, list(Path(f"/proc/{process}/task").iterdir())):
                busy_s, starved_s = busy_s + times[0], starved_s + times[1]
    return Moment(now_s, busy_s, starved_s)


def _times(thread: Path) -> tuple[float, float]:
    """For how long it has been running, and waiting for a core; 0 if that is not known."""
    try:
        busy_ns, starved_ns, _slices = (thread / "schedstat").read_text("ascii").split()
        return int(busy_ns) / 1e9, int(starved_ns) / 1e9
    except (OSError, ValueError):
        return 0.0, 0.0
