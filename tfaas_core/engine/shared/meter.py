"""Meter: how busy one servable is, in memory that its users and the parent share.

Each HTTP worker writes its own two numbers, and the servable its own four, so that no lock is
needed; anyone may read all. The sum over workers is what bounds the queue, and it costs no message.
"""

from __future__ import annotations

import time
from typing import Self

from tfaas_core.engine.shared.numbers import SharedNumbers


class Meter:
    """int64 ``[2 * workers + 4]``: rows in flight and time of last use for each worker; since when
    the present run lasts, when it is due, how often the servable's loop turned, and how long the
    runs before took together, if they are added up. Times are ``time.monotonic_ns``, the same in
    all processes."""

    def __init__(self, numbers: SharedNumbers) -> None:
        self._numbers = numbers
        self.descriptor = numbers.descriptor
        """What another process needs to share it."""
        self._cells = numbers.cells
        self._workers = (len(self._cells) - 4) // 2
        self._rows = self._cells[0 : 2 * self._workers : 2]

    @classmethod
    def create(cls, workers: int) -> Self:
        """A new meter, all zero."""
        return cls(SharedNumbers.create(2 * workers + 4))

    @classmethod
    def of(cls, descriptor: int) -> Self:
        """The meter behind a received descriptor, which it takes over."""
        return cls(SharedNumbers(descriptor))

    def rows(self) -> int:
        """Rows in flight, of all workers."""
        return sum(self._rows)

    def add(
        self, worker: int, rows: int, most_rows: int | None = None, most_before: int | None = None
    ) -> bool:
        """Counts rows in, and notes the time. Only ``worker`` calls it.

        False, and nothing is done, if more than ``most_rows`` would be in flight, of all workers,
        or more than ``most_before`` are already; None: there is no bound.
        """
        if most_rows is not None:
            before = sum(self._rows)
            if before + rows > most_rows or (most_before is not None and before > most_before):
                return False
        self._cells[2 * worker] += rows
        self._cells[2 * worker + 1] = time.monotonic_ns()
        return True

    def remove(self, worker: int, rows: int) -> None:
        """Counts answered rows out, and notes the time. Only ``worker`` calls it."""
        self._cells[2 * worker] -= rows
        self._cells[2 * worker + 1] = time.monotonic_ns()

    def reset(self, worker: int) -> None:
        """Forgets what a dead worker had in flight."""
        self._cells[2 * worker] = 0

    def last_used_ns(self) -> int:
        """When any worker last used it; 0: never."""
        return max(self._cells[1 : 2 * self._workers : 2])

    def last_user(self) -> int:
        """The worker that used it last."""
        times = self._cells[1 : 2 * self._workers : 2].tolist()
        return times.index(max(times))

    def run_begins(self, due_ns: int = 0) -> None:
        """Called by the servable's thread before it runs; ``due_ns``: see ``is_overdue``."""
        self._cells[2 * self._workers] = time.monotonic_ns()
        self._cells[2 * self._workers + 1] = due_ns
        self._cells[2 * self._workers + 2] += 1

    def run_ends(self) -> None:
        """Called by the servable's thread after it ran."""
        self._cells[2 * self._workers] = 0
        self._cells[2 * self._workers + 1] = 0

    def running_since_ns(self) -> int:
        """When the present run began; 0: nothing runs."""
        return self._cells[2 * self._workers]

    def busy_ns(self) -> int:
        """How long its runs took together, with the present one; see AddingMeter."""
        since_ns = self.running_since_ns()
        running_ns = time.monotonic_ns() - since_ns if since_ns else 0
        return self._cells[2 * self._workers + 3] + running_ns

    def turns(self) -> None:
        """Called by the servable's thread to show that it is not stuck; a run shows it, too."""
        self._cells[2 * self._workers + 2] += 1

    def turn_count(self) -> int:
        """How often the servable's thread has shown that it is not stuck."""
        return self._cells[2 * self._workers + 2]

    def is_overdue(self) -> bool:
        """Whether the present run should be over by now, as it would be if it were given a core."""
        return 0 < self._cells[2 * self._workers + 1] < time.monotonic_ns()

    def close(self) -> None:
        self._rows.release()
        self._numbers.close()


class AddingMeter(Meter):
    """The meter of a servable that may need others beside it: its runs are added up."""

    def run_ends(self) -> None:
        if since_ns := self.running_since_ns():
            self._cells[2 * self._workers + 3] += time.monotonic_ns() - since_ns
        super().run_ends()
