"""A fork server: imports the libraries of some runtimes once, then forks model processes."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import socket
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import NoReturn, TypeAlias

import msgspec

from tfaas_core.engine.in_fork_server.preload import PreloadFailedError, preload
from tfaas_core.engine.shared.forks import (
    CannotFork,
    Ended,
    Fork,
    Forked,
    Importing,
    NotReady,
    Orders,
    Ready,
    ToForkServer,
)
from tfaas_core.errors import TfaasError
from tfaas_core.runtime import Runtime
from tfaas_core.sandbox.confine import OWN_SOCKET, Prison, confine, confine_fork_server
from tfaas_core.sandbox.libraries import Libraries
from tfaas_core.sandbox.limits import data_bytes, limit_data
from tfaas_core.system.links.blocking_link import BlockingLink
from tfaas_core.system.lives.fork_loop import ForkLoop
from tfaas_core.system.lives.lifeline import LifelineEnd
from tfaas_core.system.output import logs
from tfaas_core.system.output.one_line import described
from tfaas_core.system.output.stdout import give_up_stdout

Work: TypeAlias = Callable[[socket.socket, Mapping[str, Runtime]], None]
"""What a forked process does; it may be pickled."""

_MOST_TRACE = 20_000


def main(sock: socket.socket, lifeline: LifelineEnd) -> None:
    """The whole life of a fork server, which ends with the link over ``sock``."""
    # Ctrl-C reaches the whole process group; the parent decides when a fork server goes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    give_up_stdout()
    link: BlockingLink[ToForkServer] = BlockingLink(sock, ToForkServer, "the parent")
    orders = _first_orders(link)
    if orders is None:
        return
    logs.configure(orders.log_level, orders.log_format, *map(Path, orders.folders))
    try:
        preload(orders.modules, lambda module: link.send(Importing(module)))
        runtimes = pickle.loads(orders.runtimes)
    except BaseException as error:
        link.send(_not_ready(error))
        return
    # A collection in a forked process would write to, and so copy, what all of them share.
    gc.freeze()
    prison = None
    if orders.cell is not None:
        confine_fork_server(orders.cell)
        prison = Prison.of(orders.cell, Libraries.imported(orders.folders))
    link.send(Ready())
    _ForkServer(link, lifeline, runtimes, prison).serve()


def _first_orders(link: BlockingLink[ToForkServer]) -> Orders | None:
    """What the parent says at first; None if it is gone. It says no more until it is told to."""
    while (messages := link.receive_some()) is not None:
        for message, _descriptors in messages:
            assert isinstance(message, Orders)
            return message
    return None


def _not_ready(error: BaseException) -> NotReady:
    if isinstance(error, PreloadFailedError):
        return NotReady(str(error), _trace(error.__cause__))
    return NotReady(f"reading its runtimes raises {described(error)}", _trace(error))


def _trace(error: BaseException | None) -> str:
    """Where ``error`` comes from; empty if it was raised on purpose, and says all itself."""
    if error is None or isinstance(error, TfaasError):
        return ""
    trace = "".join(traceback.format_exception(error))[-_MOST_TRACE:]
    return trace.encode(errors="backslashreplace").decode()


class _ForkServer:
    def __init__(
        self,
        link: BlockingLink[ToForkServer],
        lifeline: LifelineEnd,
        runtimes: Mapping[str, Runtime],
        prison: Prison | None,
    ) -> None:
        self._link = link
        self._lifeline = lifeline
        self._runtimes = runtimes
        self._prison = prison
        self._loop = ForkLoop(link, self._take, lambda pid, code: link.send(Ended(pid, code)))

    def serve(self) -> None:
        """Forks what is asked for, and tells how forked processes end, until the link closes."""
        self._loop.serve()

    def _take(self, message: ToForkServer, descriptors: list[int]) -> None:
        assert isinstance(message, Fork)
        if len(descriptors) < (1 if self._prison is None else 2):
            self._refuse(message, descriptors)
            return
        self._fork(message, *(socket.socket(fileno=descriptor) for descriptor in descriptors))

    def _refuse(self, message: Fork, descriptors: Sequence[int]) -> None:
        """The kernel has dropped those that this process may not open."""
        for descriptor in descriptors:
            os.close(descriptor)
        reason = "too many files are open in the fork server; try again"
        self._link.send(CannotFork(message.call, reason))

    def _fork(
        self, message: Fork, sock: socket.socket, stderr: socket.socket | None = None
    ) -> None:
        with sock, stderr or nullcontext():
            try:
                pid = os.fork()
            except OSError as error:
                self._link.send(CannotFork(message.call, error.strerror or str(error)))
                return
            if pid == 0:
                self._become(message, sock, stderr)
        self._link.send(Forked(message.call, pid))

    def _become(self, message: Fork, sock: socket.socket, stderr: socket.socket | None) -> NoReturn:
        """The life of a forked process."""
        code = 1
        try:
            self._lifeline.tie("tfaas-model")
            self._loop.leave()
            if stderr is not None:
                os.dup2(stderr.fileno(), 2)
                give_up_stdout()
            prison = self._prison
            if message.memory_bytes:
                prison = _limited(prison, message.memory_bytes)
            if prison is not None:
                confine(prison, message.artifact, sock.detach(), self._lifeline.detach())
                sock = socket.socket(fileno=OWN_SOCKET)
            work: Work = pickle.loads(message.work)
            work(sock, self._runtimes)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)


def _limited(prison: Prison | None, memory_bytes: int) -> Prison | None:
    """The prison, with that limit; of a process that is not confined, it is set at once."""
    most_data_bytes = data_bytes() + memory_bytes
    if prison is None:
        limit_data(most_data_bytes)
        return None
    least = min(prison.most_data_bytes, most_data_bytes)
    return msgspec.structs.replace(prison, most_data_bytes=least)
