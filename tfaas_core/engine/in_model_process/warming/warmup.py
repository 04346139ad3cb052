"""Warm-up: the first, slow calls of a servable, and what they tell about it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tfaas_core.engine.in_model_process.origin import Origin
from tfaas_core.engine.in_model_process.warming.independence import independence_of
from tfaas_core.engine.in_model_process.warming.made_up import guesses
from tfaas_core.engine.in_model_process.warming.output_shapes import are_unknown, learnt
from tfaas_core.engine.in_model_process.warming.sharing import rows_to_share
from tfaas_core.engine.in_model_process.warming.trial import is_refuted
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.engine.shared.outputs import Uneven, check_rows
from tfaas_core.errors import DoesNotFit, Unavailable
from tfaas_core.models.params import Params, WarmUpRuns
from tfaas_core.runtime import Independence, Servable
from tfaas_core.tensors import Array, BatchAxis, Signature

PROVEN = "each row is proven to depend on itself alone"
BY_SHAPE = "this is proven for each shape of the inputs, or not, when a request first has it"
REFUTED = "a trial gave a row another answer beside other rows"
SAYS_SO = "params.batch.merge says so"
STATEFUL = "it keeps state, or draws random numbers"

ANY_NUMBER = -1
"""What shared rows of params are, if it is known that any number may share a run."""

_NO_PARAMS = Params()


class Warmed(msgspec.Struct, frozen=True):
    """The signature, more exact now, and whether rows of different requests may share a run.

    ``merge_reason`` says how the latter is known, or why they may not. Without a batch axis, they
    may for the shapes for which it is proven when a request has them. ``made_up``: whether made-up
    values may be run; ``refuses``: whether none of them did. ``shared_rows``: the most rows of
    several requests that should share a run; 0: any number.
    """

    signature: Signature
    mergeable: bool
    merge_reason: str = ""
    made_up: bool = True
    refuses: bool = False
    shared_rows: int = 0


def warm(
    servable: Servable,
    params: Params = _NO_PARAMS,
    made_up: bool = True,
    meter: Meter | None = None,
    origin: Origin | None = None,
) -> Warmed:
    """Runs the servable until it is fast, and learns how its rows behave.

    Made-up values are run unless ``params`` ask for none, or ``made_up`` is False. What they leave
    behind in a stateful servable is forgotten. ``meter`` shows since when a run of them lasts.
    ``origin``: for the log.

    A model whose outputs are of unknown rank, and do not answer two rows with two, has no batch
    axis, unless ``params`` give it one. One that refuses the made-up values is served all the same.
    Raises CannotServe if no values could be run.
    """
    return _WarmUp(servable, params, made_up, meter, origin or Origin()).warmed()


class _WarmUp:
    def __init__(
        self,
        servable: Servable,
        params: Params,
        made_up: bool,
        meter: Meter | None,
        origin: Origin,
    ) -> None:
        self._servable = servable
        self._axis = params.batch.axis
        self._merge = params.batch.merge
        self._shared_rows = params.shared_rows
        self._made_up = made_up and params.warmup is WarmUpRuns.ALL
        self._meter = meter
        self._origin = origin
        self._has_run = False
        self._refuses = False
        self._size = 1

    def warmed(self) -> Warmed:
        signature = self._servable.signature
        if self._axis is not None:
            signature = msgspec.structs.replace(signature, batch=self._axis)
        independence = self._independence(signature)
        signature = self._settled(signature, independence)
        if self._made_up:
            signature = self._run_in(signature)
        mergeable, reason = self._verdict(signature, independence)
        shared_rows = self._rows_to_share(signature) if mergeable else 0
        if self._has_run and self._servable.stateful:
            self._servable.reset()
        return Warmed(signature, mergeable, reason, self._made_up, self._refuses, shared_rows)

    def _independence(self, signature: Signature) -> Independence | None:
        """What the runtime proves; None if that would make no difference."""
        if signature.batch is BatchAxis.ONE or self._servable.stateful:
            return None
        settled = signature.batch is BatchAxis.FREE and not are_unknown(signature)
        if self._merge is not None and settled:
            return None
        return independence_of(self._servable, self._origin)

    def _settled(self, signature: Signature, independence: Independence | None) -> Signature:
        """The signature whose batch axis is told by runs, if the outputs do not tell it."""
        if not are_unknown(signature):
            return signature
        found = learnt(signature, self._run) if self._made_up else None
        if found is not None:
            return found
        proven = independence is not None and independence.proven
        return signature if self._axis is not None or proven else _without_axis(signature)

    def _run_in(self, signature: Signature) -> Signature:
        inputs = self._first_that_runs(signature)
        if inputs is None:
            self._refuses = True
            return signature
        self._servable.tune(inputs)
        if are_unknown(self._servable.signature) and self._axis is None:
            try:
                check_rows(self._run(inputs), 2, signature.outputs)
            except Uneven:
                return _without_axis(signature)
        return signature

    def _first_that_runs(self, signature: Signature) -> list[Array] | None:
        for size, inputs in guesses(signature):
            try:
                self._run(inputs)
            except DoesNotFit as error:
                if error.code != DoesNotFit.code:
                    raise
                continue
            except (Unavailable, MemoryError):
                # Of values of this size; those of a request may be fewer.
                continue
            self._size = size
            return inputs
        return None

    def _verdict(self, signature: Signature, independence: Independence | None) -> tuple[bool, str]:
        if signature.batch is not BatchAxis.FREE:
            return self._verdict_without_rows(signature.batch, independence)
        if self._merge is not None:
            return self._merge, SAYS_SO
        if independence is None:
            return False, STATEFUL
        if not independence.proven:
            return False, independence.reason
        if self._made_up and is_refuted(self._run, signature, self._size):
            return False, REFUTED
        return True, PROVEN

    def _rows_to_share(self, signature: Signature) -> int:
        if self._shared_rows:
            return max(self._shared_rows, 0)
        if not self._made_up or self._refuses or signature.batch is not BatchAxis.FREE:
            return 0
        return rows_to_share(self._run, signature, self._size)

    def _verdict_without_rows(
        self, batch: BatchAxis, independence: Independence | None
    ) -> tuple[bool, str]:
        reason = f"its batch axis is {batch}"
        if self._axis is not None:
            return False, f"{reason}: params.batch.axis says so"
        if self._merge is False:
            return False, SAYS_SO
        if independence is None:
            return False, reason
        if batch is BatchAxis.NONE and independence.by_shape:
            return True, BY_SHAPE
        return False, f"{reason}: {independence.reason}" if independence.reason else reason

    def _run(self, inputs: Sequence[Array]) -> list[Array]:
        self._has_run = True
        if self._meter is None:
            return self._servable.run(inputs)
        self._meter.run_begins()
        try:
            return self._servable.run(inputs)
        finally:
            self._meter.run_ends()


def _without_axis(signature: Signature) -> Signature:
    return msgspec.structs.replace(signature, batch=BatchAxis.NONE)
