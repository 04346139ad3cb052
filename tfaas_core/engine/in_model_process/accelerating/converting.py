"""What a process does that finds out whether an accelerator may run a model."""

from __future__ import annotations

import io
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from tfaas_core.engine.in_model_process.accelerating.acceleration_trial import AccelerationTrial
from tfaas_core.engine.in_model_process.candidates import can_be_opened, params_of
from tfaas_core.engine.shared.acceleration import (
    HEAD_BYTES,
    Acceleration,
    AccelerationOrder,
    unpacked_examples,
)
from tfaas_core.errors import TfaasError
from tfaas_core.runtime import Accelerator, CannotAccelerate, Runtime
from tfaas_core.system.output.one_line import described
from tfaas_core.system.resources.shortage import shortage_in


def convert_and_try(
    order: AccelerationOrder, sock: socket.socket, runtimes: Mapping[str, Runtime]
) -> None:
    """Sends what it has found out, an Acceleration behind its length, and then the conversion.

    Of a refused one, that is empty.
    """
    with suppress(OSError):
        os.nice(19)
    accelerator = runtimes[order.candidate.runtime].accelerator()
    assert accelerator is not None
    converted = b""
    _mute_stderr()
    try:
        converted, found = _tried(accelerator, order, runtimes)
    except BaseException as error:  # of an odd model, a converter raises nearly anything
        found = _refused(accelerator, error, order.candidate.path)
    head = msgspec.msgpack.encode(found)
    sock.sendall(len(head).to_bytes(HEAD_BYTES) + head + converted)


def _tried(
    accelerator: Accelerator, order: AccelerationOrder, runtimes: Mapping[str, Runtime]
) -> tuple[bytes, Acceleration]:
    candidate, options, signature = order.candidate, order.options, order.signature
    options = msgspec.structs.replace(options, signatures=())
    first = runtimes[candidate.runtime].load(Path(candidate.path), params_of(candidate), options)
    converted = accelerator.convert(first)
    fast = accelerator.open(converted, signature, options.threads)
    first.signature = signature
    examples = unpacked_examples(order.examples)
    trial = AccelerationTrial(first, fast, signature)
    found = trial.found(examples, options.max_batch_rows, order.mergeable)
    return converted, Acceleration(
        accelerator.name,
        accelerator.first,
        most_rows=found.most_rows,
        checked=found.checked,
        speeds=found.speeds,
    )


def _mute_stderr() -> None:
    """For good: converters tell of every op that they do not know."""
    # A confined process opens nothing to write to.
    read, write = os.pipe()
    os.close(read)
    os.dup2(write, 2)
    os.close(write)
    sys.stderr = _Nowhere()


class _Nowhere(io.TextIOBase):
    """Where Python writes to, which would raise an error if nobody reads."""

    def write(self, text: str) -> int:
        return len(text)


def _refused(accelerator: Accelerator, error: BaseException, path: str) -> Acceleration:
    why = described(error)
    if isinstance(error, CannotAccelerate):
        why = str(error)
    elif isinstance(error, TfaasError):
        why = error.message
    # Those of a version that was removed are away, say; the same model may come again.
    passes = shortage_in(error) is not None or not can_be_opened(path)
    return Acceleration(accelerator.name, accelerator.first, why, passes=passes)
