"""A model process: does what the pool says, and goes when the pool is gone."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import msgspec

from tfaas_core.engine.base import Loaded
from tfaas_core.engine.in_model_process.accelerating.switching import accelerated, begin_to_switch
from tfaas_core.engine.in_model_process.candidates import can_be_opened, params_of
from tfaas_core.engine.in_model_process.loop import ServableLoop
from tfaas_core.engine.in_model_process.origin import Origin
from tfaas_core.engine.in_model_process.servable_check import check_servable
from tfaas_core.engine.in_model_process.signed import (
    Signed,
    others_of,
    shared_rows_of,
    warm_all,
)
from tfaas_core.engine.scheduling.pace import Pace
from tfaas_core.engine.scheduling.slow_runs import SlowRuns
from tfaas_core.engine.shared.acceleration_messages import Switch
from tfaas_core.engine.shared.messages import (
    Adopted,
    Broken,
    Connect,
    Failure,
    FromProcess,
    Load,
    LoadDone,
    LoadFailed,
    Loading,
    ToProcess,
    Turn,
    Unload,
    Unloaded,
)
from tfaas_core.engine.shared.meter import AddingMeter, Meter
from tfaas_core.engine.shared.slots import SharedSlots
from tfaas_core.errors import SEE_LOG, StorageUnavailable, TfaasError, Unavailable
from tfaas_core.runtime import Runtime, Servable
from tfaas_core.system.links.blocking_link import BlockingLink
from tfaas_core.system.links.inbox import packed
from tfaas_core.system.output.one_line import described
from tfaas_core.system.resources.shortage import shortage_in
from tfaas_core.withheld import without_folders

Runtimes = Mapping[str, Runtime]

PATIENCE_S = 2.0
"""How long a load waits for the one before, which may hang. There is one only where models share a
process."""

_log = logging.getLogger("tfaas.engine")


def main(sock: socket.socket, runtimes: Runtimes) -> None:
    """The whole life of a forked model process. It never returns."""
    code = 1
    try:
        control(sock, runtimes)
        code = 0
    except BaseException:
        _log.critical("a model process broke", exc_info=True)
    finally:
        # Servable threads may be in the middle of a run; nobody waits for its answer any more.
        os._exit(code)


def control(sock: socket.socket, runtimes: Runtimes) -> None:
    """Loads, connects and unloads servables as told, until the pool closes the link."""
    link: BlockingLink[ToProcess] = BlockingLink(sock, ToProcess, "the pool")
    loops: dict[int, ServableLoop] = {}
    turn = threading.Lock()
    try:
        for message, descriptors in link.receive():
            if isinstance(message, Load):
                _begin_load(message, descriptors, runtimes, loops, link.send, turn)
            elif (loop := loops.get(message.ticket)) is not None:
                _tell(loop, message, descriptors, link.send)
            else:
                for descriptor in descriptors:
                    os.close(descriptor)
    finally:
        for loop in list(loops.values()):
            loop.unload()
        link.close()


def _tell(
    loop: ServableLoop,
    message: Connect | Adopted | Turn | Unload | Switch,
    descriptors: Sequence[int],
    send: Callable[[FromProcess], None],
) -> None:
    match message:
        case Connect():
            # If this process may open no more files, the kernel has hung up on the worker.
            if descriptors:
                via = message.far or SharedSlots.of(descriptors[1:], is_servable=True)
                loop.connect(socket.socket(fileno=descriptors[0]), via)
        case Adopted():
            loop.adopt(message.key)
        case Turn():
            loop.turn()
        case Unload():
            loop.unload()
        case Switch():
            begin_to_switch(loop.servables[0], message, descriptors, send)


def _begin_load(
    order: Load,
    descriptors: Sequence[int],
    runtimes: Runtimes,
    loops: dict[int, ServableLoop],
    send: Callable[[FromProcess], None],
    turn: threading.Lock,
) -> None:
    """Loads in a thread of its own, after the load before, unless that takes long.

    The heap of the main thread is shared with the process that forked this one, and each gap in it
    that is filled is a page copied: 3 MB a model. A thread has an arena of its own, which the
    loop's thread inherits. A daemon: whoever ends waits for no load that hangs.
    """
    if len(descriptors) < 2:
        for descriptor in descriptors:
            os.close(descriptor)
        error = OSError("too many files are open in its process")
        return send(LoadFailed(order.ticket, Failure.of(_no_room(order, error))))

    with _told_if_it_fails(order, send), ExitStack() as unless_it_begins:
        meter = (AddingMeter if order.adds_up else Meter).of(descriptors[0])
        unless_it_begins.callback(meter.close)
        pace = Pace(order.options.slow_priority, SlowRuns.of(descriptors[1]))
        unless_it_begins.callback(pace.close)

        def run() -> None:
            is_its_turn = turn.acquire(timeout=PATIENCE_S)
            try:
                with _told_if_it_fails(order, send):
                    send(_load(order, meter, pace, runtimes, loops, send))
            finally:
                if is_its_turn:
                    turn.release()

        threading.Thread(target=run, name="tfaas-load", daemon=True).start()
        unless_it_begins.pop_all()


@contextmanager
def _told_if_it_fails(order: Load, send: Callable[[FromProcess], None]) -> Iterator[None]:
    """Whatever is raised in the block is told; what is no TfaasError, as no fault of the model."""
    try:
        yield
    except TfaasError as error:
        send(LoadFailed(order.ticket, Failure.of(error)))
    except BaseException as error:
        send(LoadFailed(order.ticket, Failure.of(_no_room(order, error))))


def _no_room(order: Load, error: BaseException) -> Unavailable:
    """Logs what the load lacks, and gives what a client is told."""
    _log.warning("%s cannot be loaded at the moment", order.candidate, exc_info=error)
    # Its text may name a file of this machine.
    reason = getattr(error, "strerror", None) or without_folders(described(error))
    name = order.candidate.name
    message = f"model {name!r} cannot be loaded at the moment: {reason}; try again{SEE_LOG}"
    return Unavailable(message, model=name)


def _load(
    order: Load,
    meter: Meter,
    pace: Pace,
    runtimes: Runtimes,
    loops: dict[int, ServableLoop],
    send: Callable[[FromProcess], None],
) -> LoadDone:
    with ExitStack() as unless_it_is_loaded:
        unless_it_is_loaded.callback(pace.close)
        unless_it_is_loaded.callback(meter.close)
        all_signed, done = _load_and_warm(order, runtimes, meter, send)
        servable = next(signed.servable for signed in all_signed if signed is not None)
        unless_it_is_loaded.callback(_close, servable, _origin(order))
        unless_it_is_loaded.callback(loops.pop, order.ticket, None)
        loop = loops[order.ticket] = ServableLoop(
            all_signed,
            order.options,
            meter,
            pace,
            on_unloaded=partial(_gone, loops, order.ticket, send, Unloaded(order.ticket)),
            on_broken=partial(_gone, loops, order.ticket, send, Broken(order.ticket)),
            origin=_origin(order),
        )
        loop.start()
        unless_it_is_loaded.pop_all()
        return done


def _gone(
    loops: dict[int, ServableLoop],
    ticket: int,
    send: Callable[[FromProcess], None],
    message: FromProcess,
) -> None:
    loops.pop(ticket, None)
    send(message)


def _load_and_warm(
    order: Load, runtimes: Runtimes, meter: Meter, send: Callable[[FromProcess], None]
) -> tuple[list[Signed | None], LoadDone]:
    candidate, wanted = order.candidate, order.candidate.signatures
    names = None if wanted is None else tuple(wanted)
    options = msgspec.structs.replace(order.options, signatures=names)
    servable = None
    try:
        params = params_of(candidate, order.mergeable, options.shared_rows)
        send(Loading(order.ticket))
        runtime = runtimes[candidate.runtime]
        servable = runtime.load(Path(candidate.path), params, options)
        check_servable(servable)
        if options.accelerate:
            servable = accelerated(servable, runtime, options.threads)
        how = params, order.made_up, meter, _origin(order)
        all_signed = warm_all(servable, *how, wanted, order.shared_rows)
        return all_signed, _done(order, all_signed)
    except BaseException as error:  # SystemExit, too: a model may hold Python code
        if isinstance(servable, Servable):
            _close(servable, _origin(order))
        if (shortage := _shortage_in(error)) is not None:
            raise _no_room(order, shortage) from error
        if isinstance(error, TfaasError):
            _origin(order).raised(error, "the load")
            raise
        if not can_be_opened(candidate.path):
            gone = f"the files of model {candidate.name!r} went away while it was loaded; try again"
            raise StorageUnavailable(gone, model=candidate.name) from error
        raise _origin(order).load_failed(error) from error


def _shortage_in(error: BaseException) -> BaseException | None:
    """What the system has not given the load; None if ``error`` is of another kind."""
    if isinstance(error, TfaasError) and error.status >= 500:
        return None
    return error if isinstance(error, MemoryError) else shortage_in(error)


def _done(order: Load, all_signed: Sequence[Signed | None]) -> LoadDone:
    """What the pool is told; raises TypeError if it cannot be: of odd shapes of outputs, say."""
    first = all_signed[0]
    assert first is not None
    warmed, servable = first.warmed, first.servable
    loaded = Loaded(
        order.ticket,
        warmed.signature,
        warmed.mergeable,
        warmed.merge_reason,
        any(signed is not None and signed.servable.stateful for signed in all_signed),
        others_of(all_signed),
        dict(servable.declared),
        servable.threads,
        servable.executor,
        shared_rows_of(all_signed),
    )
    packed(done := LoadDone(loaded))
    return done


def _origin(order: Load) -> Origin:
    return Origin(order.candidate.name, str(order.candidate), order.plugin)


def _close(servable: Servable, origin: Origin) -> None:
    try:
        servable.close()
    except BaseException as error:
        origin.broke("cannot close it", error)
