"""What a process does that tries a model in the mode of its fork server."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np

from tfaas_core.engine.in_model_process.candidates import params_of
from tfaas_core.engine.in_model_process.servable_check import check_servable
from tfaas_core.engine.in_model_process.warming.made_up import guesses
from tfaas_core.engine.shared.acceleration import HEAD_BYTES
from tfaas_core.engine.shared.mode import (
    MOST_REASON,
    ROWS,
    SECONDS,
    CannotTry,
    ModeOrder,
    ModeTried,
)
from tfaas_core.errors import TfaasError
from tfaas_core.models.params import WarmUpRuns
from tfaas_core.runtime import Runtime, Servable
from tfaas_core.system.output.one_line import described
from tfaas_core.tensors import Array, BatchAxis, Signature

_MOST_ROWS = 32
_MOST_RUN_S = 0.2
"""Of the most rows that are measured."""

_ONCE_S = 0.04
_FIRST_RUNS = 3


def try_mode(order: ModeOrder, sock: socket.socket, runtimes: Mapping[str, Runtime]) -> None:
    """Sends a ModeTried behind its length, and then measures as often as it is asked to."""
    try:
        trial = _Trial(order, runtimes)
    except BaseException as error:  # a model may raise anything
        lasts = isinstance(error, CannotTry) and error.lasts
        _send(sock, ModeTried(refusal=_why(error)[:MOST_REASON], lasts=lasts))
        return
    _send(sock, trial.tried)
    while asked := sock.recv(ROWS.size, socket.MSG_WAITALL):
        (rows,) = ROWS.unpack(asked)
        sock.sendall(SECONDS.pack(*trial.cost_s(rows)))


def _why(error: BaseException) -> str:
    if isinstance(error, TfaasError):
        return error.message
    return str(error) if isinstance(error, CannotTry) else described(error)


def _send(sock: socket.socket, tried: ModeTried) -> None:
    told = msgspec.msgpack.encode(tried)
    sock.sendall(len(told).to_bytes(HEAD_BYTES) + told)


class _Trial:
    def __init__(self, order: ModeOrder, runtimes: Mapping[str, Runtime]) -> None:
        candidate, params = order.candidate, params_of(order.candidate)
        if params.warmup is not WarmUpRuns.ALL:
            raise CannotTry("its params have no made-up values run")
        options = msgspec.structs.replace(order.options, signatures=())
        self._servable = runtimes[candidate.runtime].load(Path(candidate.path), params, options)
        check_servable(self._servable)
        if self._servable.stateful:
            raise CannotTry("it keeps state, or draws random numbers", lasts=True)
        signature = self._servable.signature
        if params.batch.axis is not None:
            signature = msgspec.structs.replace(signature, batch=params.batch.axis)
        self._is_free = signature.batch is BatchAxis.FREE
        self._made_up = _that_run(self._servable, signature)
        self._servable.tune(self._made_up)
        run_s = min(self.cost_s(1)[0] for _ in range(_FIRST_RUNS))
        fitting = min(_MOST_ROWS, order.options.max_batch_rows, int(_MOST_RUN_S / run_s))
        rows = max(1, fitting) if self._is_free else 1
        self.tried = ModeTried(self._servable.threads, run_s, rows)

    def cost_s(self, rows: int) -> tuple[float, float]:
        """How long the shortest of some runs lasts, and the least processor time of any.

        Whatever else the machine does only makes them longer.
        """
        inputs = [_rows(each, rows) for each in self._made_up] if self._is_free else self._made_up
        lasts_s, takes_s, end_s = math.inf, math.inf, time.perf_counter() + _ONCE_S
        while (start_s := time.perf_counter()) < end_s or lasts_s == math.inf:
            began_s = time.process_time()
            self._servable.run(inputs)
            takes_s = min(takes_s, time.process_time() - began_s)
            lasts_s = min(lasts_s, time.perf_counter() - start_s)
        return lasts_s, takes_s


def _that_run(servable: Servable, signature: Signature) -> list[Array]:
    for _size, inputs in guesses(signature):
        with suppress(TfaasError):
            servable.run(inputs)
            return inputs
    raise CannotTry("it refuses all values that are made up")


def _rows(array: Array, rows: int) -> Array:
    """So many rows, C-contiguous, made of two."""
    return np.ascontiguousarray(np.repeat(array, rows, axis=0)[:rows]) if array.ndim else array
