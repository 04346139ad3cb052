"""FarBeginning: runs on other hosts whose answers are not waited for, but told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tfaas_core.engine.beginning import AwaitingRows, BeginsRuns
from tfaas_core.engine.in_front.homes import Homes
from tfaas_core.errors import ModelLost
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array
from tfaas_core.visit import Timing


class FarRun:
    """A run on another host: tells ``awaiting`` of all but the loss of the process.

    If that is lost, ``again`` is called with the run. ``begin_s``: since when, by time.monotonic.
    """

    __slots__ = (
        *("_again", "awaiting", "begin_s", "done", "inputs", "rows", "set_result", "set_rows"),
        *("timing", "version"),
    )

    def __init__(
        self,
        again: Callable[[FarRun], object],
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        awaiting: AwaitingRows,
        timing: Timing | None,
    ) -> None:
        self._again, self.version, self.inputs, self.rows = again, version, inputs, rows
        self.awaiting, self.timing, self.begin_s = awaiting, timing, time.monotonic()
        # Without a step between: this is all that most requests need.
        self.done, self.set_rows = awaiting.done, awaiting.set_rows
        self.set_result = awaiting.set_result

    def set_exception(self, exception: Exception, /) -> None:
        """Tells of it, or has the run begun again."""
        if isinstance(exception, ModelLost):
            self._again(self)
        else:
            self.awaiting.set_exception(exception)


class FarBeginning(BeginsRuns):
    """Begins a run where the version is at home. If its process is lost, ``again`` is called.

    That leaves no trace: such rows may share a run.
    """

    def __init__(self, homes: Homes, again: Callable[[FarRun], object]) -> None:
        self._homes, self._again = homes, again

    def begin(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        awaiting: AwaitingRows,
        timing: Timing | None = None,
    ) -> bool:
        engine = self._homes.known(version)
        if engine is None:
            return False
        run = FarRun(self._again, version, inputs, rows, awaiting, timing)
        try:
            return engine.beginning.begin(version, inputs, rows, run, timing)
        except ModelLost:
            return False
