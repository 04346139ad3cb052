"""Switching: from a servable to an accelerator, in a process that answers requests."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence

from tfaas_core.engine.in_model_process.accelerating.accelerated import AcceleratedServable
from tfaas_core.engine.shared.acceleration_messages import HasSwitched, Switch
from tfaas_core.engine.shared.messages import (
    FromProcess,
)
from tfaas_core.runtime import Accelerator, Runtime, Servable
from tfaas_core.system.output.one_line import described


def accelerated(servable: Servable, runtime: Runtime, threads: int) -> Servable:
    """The servable, which an accelerator may take over later if its runtime has one."""
    accelerator = runtime.accelerator()
    if accelerator is None:
        return servable
    return AcceleratedServable(servable, accelerator, threads)


def begin_to_switch(
    servable: Servable,
    order: Switch,
    descriptors: Sequence[int],
    send: Callable[[FromProcess], None],
) -> None:
    """Opens what the order's descriptor leads to, in a thread, and then has it run.

    Until then, the servable answers. ``send`` gets what has become of it.
    """

    def switch() -> None:
        try:
            _switch(servable, order, descriptors)
        except BaseException as error:  # a plugin's: the servable goes on
            send(HasSwitched(order.ticket, described(error)))
        else:
            send(HasSwitched(order.ticket))

    threading.Thread(target=switch, name="tfaas-switch", daemon=True).start()


def _switch(servable: Servable, order: Switch, descriptors: Sequence[int]) -> None:
    try:
        if not isinstance(servable, AcceleratedServable) or servable.accelerator is None:
            raise TypeError("it was not loaded for it")
        converted = _read(descriptors, order)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    accelerator: Accelerator = servable.accelerator
    fast = accelerator.open(converted, servable.signature, servable.fast_threads)
    servable.take(fast, order.most_rows)


def _read(descriptors: Sequence[int], order: Switch) -> bytes:
    if not descriptors:  # the kernel drops what this process may not open
        raise OSError("too many files are open in its process")
    parts, at, left = [], order.start, order.size_bytes
    while left:
        part = os.pread(descriptors[0], min(left, 1 << 20), at)
        if not part:
            raise EOFError("its file was cut")
        parts.append(part)
        at, left = at + len(part), left - len(part)
    return b"".join(parts)
