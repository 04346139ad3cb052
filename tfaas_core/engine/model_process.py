"""A model process: does what the pool says, and goes when the pool is gone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TypeVar

from tfaas_core.engine.base import Loaded
from tfaas_core.engine.messages import (
    Connect,
    Failure,
    FromProcess,
    Load,
    LoadDone,
    LoadFailed,
    ToProcess,
    Unload,
    Unloaded,
)
from tfaas_core.engine.meter import Meter
from tfaas_core.engine.pace import Pace, SlowRuns
from tfaas_core.engine.servables import ServableLoop
from tfaas_core.engine.warmup import Warmed, warm
from tfaas_core.errors import CannotServe, TfaasError
from tfaas_core.link import BlockingLink
from tfaas_core.model import Params
from tfaas_core.runtime import Runtime, Servable

Runtimes = Mapping[str, Runtime]

_T = TypeVar("_T")


def main(sock: socket.socket, runtimes: Runtimes) -> None:
    """The whole life of a forked model process. It never returns."""
    # Ctrl-C reaches the whole process group; the parent decides when a model goes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="tfaas-watch", daemon=True).start()
    try:
        control(sock, runtimes)
    finally:
        # Servable threads may be in the middle of a run; nobody waits for its answer any more.
        os._exit(0)


def _end_with_parent() -> None:
    """Sees to it that a process which is loading, perhaps for ever, does not survive the server."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)


def control(sock: socket.socket, runtimes: Runtimes) -> None:
    """Loads, connects and unloads servables as told, until the pool closes the link."""
    link: BlockingLink[ToProcess] = BlockingLink(sock, ToProcess)
    loops: dict[int, ServableLoop] = {}
    for message, descriptors in link.receive():
        match message:
            case Load():
                meter, slow_runs = Meter.of(descriptors[0]), SlowRuns.of(descriptors[1])
                pace = Pace(message.slow_priority, slow_runs)
                link.send(_load(message, meter, pace, runtimes, loops, link.send))
            case Connect():
                connection = socket.socket(fileno=descriptors[0])
                if message.ticket in loops:
                    loops[message.ticket].connect(connection)
                else:
                    connection.close()
            case Unload():
                if message.ticket in loops:
                    loops.pop(message.ticket).unload()
    for loop in loops.values():
        loop.unload()
    link.close()


def _load(
    order: Load,
    meter: Meter,
    pace: Pace,
    runtimes: Runtimes,
    loops: dict[int, ServableLoop],
    send: Callable[[FromProcess], None],
) -> FromProcess:
    try:
        servable, warmed = _in_a_thread(partial(_load_and_warm, order, runtimes))
    except TfaasError as error:
        meter.close()
        pace.close()
        return LoadFailed(order.ticket, Failure.of(error))
    unloaded = partial(send, Unloaded(order.ticket))
    loop = ServableLoop(
        servable,
        warmed,
        order.max_batch_rows,
        order.busy_poll_s,
        meter,
        pace,
        unloaded,
    )
    loops[order.ticket] = loop
    loop.start()
    return LoadDone(Loaded(order.ticket, warmed.signature, warmed.mergeable))


def _in_a_thread(work: Callable[[], _T]) -> _T:
    # The heap of the main thread is shared with the process that forked this one, and each gap in
    # it that is filled is a page copied: 3 MB a model. A thread has an arena of its own, which the
    # loop's thread inherits. A daemon: whoever ends waits for no load that hangs.
    done: Future[_T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    thread = threading.Thread(target=run, name="tfaas-load", daemon=True)
    thread.start()
    thread.join()
    return done.result()


def _load_and_warm(order: Load, runtimes: Runtimes) -> tuple[Servable, Warmed]:
    candidate = order.candidate
    servable = None
    try:
        servable = runtimes[candidate.runtime].load(
            Path(candidate.path), Params.of(candidate.params), order.threads
        )
        return servable, warm(servable)
    except Exception as error:
        if servable is not None:
            servable.close()
        if isinstance(error, TfaasError):
            raise
        reason = f"the model cannot be loaded: {type(error).__name__}: {error}"
        raise CannotServe(reason[:500]) from error
