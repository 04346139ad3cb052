"""FarBeginning: runs on other hosts whose answers are not waited for, but told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tfaas_core.engine.beginning import AwaitingRows, BeginsRuns
from tfaas_core.engine.in_front.homes import Homes
from tfaas_core.errors import ModelLost
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array
from tfaas_core.visit import Timing

RunAgain = Callable[
    [ModelVersion, Sequence[Array], int, AwaitingRows, Timing | None, float], object
]
"""Runs what was lost elsewhere, and tells whoever awaits it. The last: since when, in seconds."""


class FarBeginning(BeginsRuns):
    """Begins a run where the version is at home. If its process is lost, ``again`` is called.

    That leaves no trace: such rows may share a run.
    """

    def __init__(self, homes: Homes, clock: Callable[[], float], again: RunAgain) -> None:
        self._homes, self._clock, self._again = homes, clock, again

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
        attempt = _Attempt(self, version, inputs, rows, awaiting, timing, self._clock())
        try:
            return engine.beginning.begin(version, inputs, rows, attempt, timing)
        except ModelLost:
            return False

    def lost(self, attempt: _Attempt) -> None:
        """The process of a run is gone."""
        a = attempt
        self._again(a.version, a.inputs, a.rows, a.awaiting, a.timing, a.begin_s)


class _Attempt:
    """Tells ``awaiting`` of all but the loss of the process."""

    __slots__ = (
        *("awaiting", "begin_s", "beginning", "done", "inputs", "rows", "set_result", "set_rows"),
        *("timing", "version"),
    )

    def __init__(
        self,
        beginning: FarBeginning,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        awaiting: AwaitingRows,
        timing: Timing | None,
        begin_s: float,
    ) -> None:
        self.beginning, self.version, self.inputs, self.rows = beginning, version, inputs, rows
        self.awaiting, self.timing, self.begin_s = awaiting, timing, begin_s
        # Without a step between: this is all that most requests need.
        self.done, self.set_rows = awaiting.done, awaiting.set_rows
        self.set_result = awaiting.set_result

    def set_exception(self, exception: Exception, /) -> None:
        if isinstance(exception, ModelLost):
            self.beginning.lost(self)
        else:
            self.awaiting.set_exception(exception)
