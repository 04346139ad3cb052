"""Runner: runs one servable: rows of many requests together, or one request's by themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tfaas_core.engine.in_model_process.accelerating.accelerated import AcceleratedServable
from tfaas_core.engine.in_model_process.answered_rows import AnsweredRows
from tfaas_core.engine.in_model_process.origin import Origin
from tfaas_core.engine.in_model_process.signed import Signed
from tfaas_core.engine.in_model_process.warming.proofs import Proofs
from tfaas_core.engine.in_model_process.warming.warmup import Warmed
from tfaas_core.engine.scheduling.pace import Pace
from tfaas_core.engine.shared.frames import RequestFrame
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.engine.shared.outputs import Uneven, check_alike, check_rows, joined, no_rows
from tfaas_core.errors import DeadlinePassed, DoesNotFit
from tfaas_core.levels import as_numbers, joined_numbers
from tfaas_core.runtime import LoadOptions, Servable
from tfaas_core.tensors import Array, BatchAxis, show_shape


class Runner:
    """All runs of a servable that answer somebody. They raise what the servable raises."""

    def __init__(
        self,
        servable: Servable,
        warmed: Warmed,
        options: LoadOptions,
        meter: Meter,
        pace: Pace,
        origin: Origin,
        before_trial: Callable[[], None] = lambda: None,
    ) -> None:
        """``before_trial``: called before runs that are made up; who else runs it, knows."""
        self._servable = servable
        self._before_trial = before_trial
        self.signature = warmed.signature
        self._batch = warmed.signature.batch
        self._outputs = warmed.signature.outputs
        self._mergeable = warmed.mergeable
        self._proofs: Proofs | None = None
        if warmed.mergeable and warmed.signature.batch is BatchAxis.NONE:
            self._proofs = Proofs(servable, warmed, self._try, origin)
        self._max_batch_rows = options.max_batch_rows
        self._shared_rows = min(
            warmed.shared_rows or options.max_batch_rows, options.max_batch_rows
        )
        self.answered = AnsweredRows(self._outputs)
        self._meter = meter
        self._pace = pace

    def joins(self, first: RequestFrame, frame: RequestFrame, rows: int) -> bool:
        """Whether ``frame`` may share a run with ``first`` and what joined it, ``rows`` so far."""
        if not self._mergeable or first.whole or frame.whole or first.signature != frame.signature:
            return False
        if rows + frame.rows > self.most_shared():
            return False
        pairs = zip(first.inputs, frame.inputs, strict=True)
        return all(a.shape[1:] == b.shape[1:] for a, b in pairs) and self._are_rows(first.inputs)

    def most_shared(self) -> int:
        """Rows of several requests in a run, at most; a single request may have more."""
        servable = self._servable
        is_fast = isinstance(servable, AcceleratedServable) and servable.is_fast
        # What was measured is of the servable's own runs.
        rows = self._max_batch_rows if is_fast else self._shared_rows
        return min(rows, self.answered.most)

    def is_to_be_cut(self, frame: RequestFrame) -> bool:
        """Whether its rows should not share a run: parts that are answered can be sent."""
        return frame.rows > self.most_shared()

    def shares(self, frame: RequestFrame) -> bool:
        """Whether the parts of a frame, if it has several, may share a run."""
        return len(frame.part_rows) > 1 and self._are_rows(frame.inputs)

    def together(self, frames: Sequence[RequestFrame]) -> list[Array]:
        """The outputs for the rows of all frames, in order.

        Raises Uneven if they do not tell which row is whose: each part is to be run alone then.
        """
        inputs: Sequence[Array] = frames[0].inputs
        if len(frames) > 1:
            columns = zip(*(frame.inputs for frame in frames), strict=True)
            inputs = [joined_numbers(column) for column in columns]
        return self._in_runs(inputs, sum([frame.rows for frame in frames]))

    def alone(
        self, inputs: Sequence[Array], rows: int, whole: bool, deadline_s: float
    ) -> list[Array]:
        """The outputs for one request, of as many rows as the model likes.

        A batch axis of one takes a run for each row: raises Uneven if these answer otherwise
        than each other, DeadlinePassed if they take too long.
        """
        if self._batch is BatchAxis.ONE and rows != 1:
            return self._row_by_row(inputs, rows, deadline_s)
        if rows > self._max_batch_rows and not whole and self._are_rows(inputs):
            try:
                return self._in_runs(inputs, rows)
            except Uneven:
                pass
        return self._run(inputs)

    def of_any_shape(self, inputs: Sequence[Array]) -> list[Array]:
        """The outputs for one request, whatever the shapes of its inputs.

        Raises DoesNotFit if the model takes no others than its signature says.
        """
        if not self._servable.takes_any_shape:
            specs = self.signature.inputs
            shown = ", ".join(f"{spec.name!r} {show_shape(spec.shape)}" for spec in specs)
            raise DoesNotFit(f"the model takes inputs of no other shapes than {shown}")
        return self._run(inputs)

    def _are_rows(self, inputs: Sequence[Array]) -> bool:
        """Whether what becomes of each row of these inputs is proven to be its own."""
        return self._mergeable and (self._proofs is None or self._proofs.covers(inputs))

    def _in_runs(self, inputs: Sequence[Array], rows: int) -> list[Array]:
        most = self._max_batch_rows
        if rows <= most:
            return self._evenly(inputs, rows)
        runs = [
            self._evenly([array[start : start + most] for array in inputs], min(most, rows - start))
            for start in range(0, rows, most)
        ]
        return joined(runs, self._outputs)

    def _evenly(self, inputs: Sequence[Array], rows: int) -> list[Array]:
        outputs = self._run(inputs)
        check_rows(outputs, rows, self._outputs)
        return outputs

    def _row_by_row(self, inputs: Sequence[Array], rows: int, deadline_s: float) -> list[Array]:
        if not rows:
            return no_rows(self._outputs)
        runs: list[list[Array]] = []
        for row in range(rows):
            if row and time.monotonic() > deadline_s:
                raise too_late()
            runs.append(self._run([array[row : row + 1] for array in inputs]))
            check_alike(runs[0], runs[row], row, self._outputs)
        return joined(runs, self._outputs)

    def _try(self, inputs: Sequence[Array]) -> list[Array]:
        self._before_trial()
        return self._run(inputs)

    def _run(self, inputs: Sequence[Array]) -> list[Array]:
        self._meter.run_begins(self._pace.run_begins())
        try:
            return self._servable.run(as_numbers(inputs))
        finally:
            self._meter.run_ends()
            self._pace.run_ends()


def runners(
    all_signed: Sequence[Signed | None],
    options: LoadOptions,
    meter: Meter,
    pace: Pace,
    origin: Origin,
    before_trial: Callable[[], None] = lambda: None,
) -> list[Runner | None]:
    """One for each signature of a servable, at its place; None: it is not there any more."""
    return [
        None
        if signed is None
        else Runner(signed.servable, signed.warmed, options, meter, pace, origin, before_trial)
        for signed in all_signed
    ]


def too_late() -> DeadlinePassed:
    """What is answered to a request whose deadline has passed before it was run whole."""
    return DeadlinePassed(
        "the deadline (server.request_timeout_s) passed before the model could run it"
    )
