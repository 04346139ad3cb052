"""SlowRuns: what processes tell each other of the runs of models that gave way."""

from __future__ import annotations

import time

from tfaas_core.engine.shared.numbers import SharedNumbers

_PAUSE_NS = 100_000_000
"""A model that runs again within it is one that runs all the time."""


class SlowRuns:
    """Until when models that gave way may be expected to run; all model processes share it."""

    def __init__(self, numbers: SharedNumbers) -> None:
        self._numbers = numbers
        self.descriptor = numbers.descriptor
        """What another process needs to share it."""
        self._cells = numbers.cells
        self._due_ns = 0

    @classmethod
    def create(cls) -> SlowRuns:
        """None is expected yet."""
        return cls(SharedNumbers.create(1))

    @classmethod
    def of(cls, descriptor: int) -> SlowRuns:
        """Those behind a received descriptor, which it takes over."""
        return cls(SharedNumbers(descriptor))

    def run_begins(self, due_ns: int) -> None:
        """Called by a process that gave way, with when its run is likely to be over."""
        self._due_ns = due_ns
        self._cells[0] = max(self._cells[0], due_ns)

    def run_ends(self) -> None:
        """Called by the same after the run."""
        # Another's longer run may not be over yet.
        if self._cells[0] == self._due_ns:
            self._cells[0] = time.monotonic_ns() + _PAUSE_NS

    def expected(self) -> bool:
        """Whether one may be running now."""
        return time.monotonic_ns() < self._cells[0]

    def close(self) -> None:
        self._numbers.close()
