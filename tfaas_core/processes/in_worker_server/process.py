"""The worker server: has imported what HTTP workers need, and forks one whenever it is told to."""

from __future__ import annotations

import errno
import importlib
import logging
import os
import pickle
import signal
import socket
import sys
import traceback
from collections.abc import Iterable, Mapping
from contextlib import suppress
from multiprocessing import resource_tracker, spawn
from typing import Any, ClassVar, NoReturn, TypeAlias

import msgspec

from tfaas_core.engine.shared.forks import CannotFork, Ended, Forked
from tfaas_core.system.links.blocking_link import BlockingLink
from tfaas_core.system.lives.fork_loop import ForkLoop
from tfaas_core.system.lives.lifeline import Lifeline, LifelineEnd
from tfaas_core.system.output.stdout import give_up_stdout
from tfaas_core.system.resources.collecting import lasting

_NAME = "tfaas-workers"

_MODULES = ("tfaas_core.http.server",)
"""What HTTP workers import, and the parent does not."""

_log = logging.getLogger("tfaas.parent")

MOST_HANDED = 200
"""Descriptors: the kernel takes few more with one message."""

_TRACKER: Any = resource_tracker._resource_tracker


class ImportModules(msgspec.Struct, frozen=True, tag=True):
    """The parent: HTTP workers will need these, too, as it has needed them itself."""

    modules: tuple[str, ...]


class ForkWorker(msgspec.Struct, frozen=True, tag=True):
    """The parent: fork an HTTP worker.

    The first descriptor is of a file that tells what the worker is to do, and the second leads to
    Python's tracker of resources. ``HandedDescriptor`` counts the others.
    """

    call: int
    descriptors: int


ToWorkerServer: TypeAlias = ImportModules | ForkWorker


class HandedDescriptor:
    """What multiprocessing sends in the place of a descriptor: its place among those sent."""

    received: ClassVar[list[int]] = []

    def __init__(self, place: int) -> None:
        self._place = place

    def detach(self) -> int:
        """The descriptor, in the process that it was sent to."""
        return self.received[self._place]


def fork_workers(sock: socket.socket, lifeline: Lifeline) -> NoReturn:
    """The life of a worker server, in a process that the parent has just forked."""
    code = 1
    try:
        end = lifeline.inherited(_NAME)
        _close_all_but(sock.fileno(), end.fileno())
        end.tie(_NAME)
        # Ctrl-C reaches the whole process group; the parent decides when a process goes.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        give_up_stdout()
        link: BlockingLink[ToWorkerServer] = BlockingLink(
            sock, ToWorkerServer, "the parent", most_descriptors=MOST_HANDED
        )
        _WorkerServer(link, end).serve()
        code = 0
    except BaseException:
        _log.exception("the worker server fails")
    finally:
        os._exit(code)


def _close_all_but(*kept: int) -> None:
    """Whoever has started the server may have left some open."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > 2 and descriptor not in kept:
            with suppress(OSError):  # it was that of the listing
                os.close(descriptor)


class _WorkerServer:
    def __init__(self, link: BlockingLink[ToWorkerServer], lifeline: LifelineEnd) -> None:
        self._link = link
        self._lifeline = lifeline
        self._loop = ForkLoop(link, self._take, lambda pid, code: link.send(Ended(pid, code)))

    def serve(self) -> None:
        _import(_MODULES)
        self._loop.serve()

    def _take(self, message: ToWorkerServer, descriptors: list[int]) -> None:
        match message:
            case ImportModules():
                _import(message.modules)
            case ForkWorker():
                self._fork(message, descriptors)

    def _fork(self, message: ForkWorker, descriptors: list[int]) -> None:
        try:
            if len(descriptors) < message.descriptors:  # the kernel has dropped the others
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            self._forked(message, descriptors)
        except OSError as error:
            self._link.send(CannotFork(message.call, error.strerror or str(error)))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _forked(self, message: ForkWorker, descriptors: list[int]) -> None:
        pid = os.fork()
        if pid == 0:
            self._become(descriptors)
        try:
            handle = os.pidfd_open(pid)
        except OSError:
            os.kill(pid, signal.SIGKILL)
            raise
        self._link.send(Forked(message.call, pid), [handle])
        os.close(handle)

    def _become(self, descriptors: list[int]) -> NoReturn:
        """The life of an HTTP worker, as of one that multiprocessing has spawned."""
        code = 1
        try:
            self._loop.leave()
            parent = os.dup(self._lifeline.fileno())
            self._lifeline.close()
            work, _TRACKER._fd, *HandedDescriptor.received = descriptors
            code = _worker_of(work)._bootstrap(parent)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)


def _import(modules: Iterable[str]) -> None:
    """What cannot be imported, the worker that needs it says."""
    with lasting(leaves_garbage=False):
        for module in modules:
            with suppress(Exception):
                importlib.import_module(module)
    if len(os.listdir("/proc/self/task")) > 1:
        raise RuntimeError("a module has started a thread, and so nothing can be forked safely")


def _worker_of(work: int) -> Any:
    """The multiprocessing.Process that a file tells of, for which all is as it would be in a new
    process."""
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    with open(work, "rb") as file:
        _become_like(pickle.load(file))
        spawn.prepare(pickle.load(file))
        return pickle.load(file)


def _become_like(environment: Mapping[str, str]) -> None:
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    for name, value in environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
