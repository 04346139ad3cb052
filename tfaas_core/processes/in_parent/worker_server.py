"""WorkerServer: the process that HTTP workers are forked from, as the parent sees it."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import pickle
import signal
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import reduction, resource_tracker, spawn
from multiprocessing.context import SpawnProcess, set_spawning_popen
from typing import Any, TypeAlias

from tfaas_core.config import Config
from tfaas_core.engine.shared.forks import CannotFork, Ended, Forked
from tfaas_core.plugins.finding import BUILTIN_PLUGINS, built_in_plugins
from tfaas_core.processes.in_parent.worker_body import ForkedWorker
from tfaas_core.processes.in_worker_server.process import (
    MOST_HANDED,
    ForkWorker,
    HandedDescriptor,
    ImportModules,
    fork_workers,
)
from tfaas_core.system.links.link import Link
from tfaas_core.system.lives.ending import Ending
from tfaas_core.system.lives.lifeline import Lifeline
from tfaas_core.system.lives.signals import stop_signals_blocked
from tfaas_core.system.lives.stopped import LOOK_EVERY_S, Stopped
from tfaas_core.system.resources.collecting import lasting

_MOST_LOOKS = 60
"""For an answer, which comes once all is imported."""

_PACKAGES = frozenset(name.partition(".")[0] for name in BUILTIN_PLUGINS)

_FromServer: TypeAlias = Forked | CannotFork | Ended

_log = logging.getLogger("tfaas.parent")


class WorkerServer:
    """Made, and so forked, while this process has no event loop and no thread of its own.

    It is not replaced if it dies: by then, this process has, and starts workers by itself.
    """

    def __init__(self, config: Config) -> None:
        self.lifeline = Lifeline()
        """Of HTTP workers, whoever starts them."""
        self.pid: int | None = None
        """None: there is none."""
        self._link: Link[_FromServer] | None = None
        self._endings: dict[int, asyncio.Future[Ending]] = {}
        with lasting(leaves_garbage=False):
            _import_plugins(config)
        self._imported = _own_modules()
        self._sock, theirs = socket.socketpair()
        with theirs, suppress(OSError), stop_signals_blocked():
            os.close(os.pidfd_open(os.getpid()))  # older kernels have none
            self.pid = self._fork(theirs)

    def _fork(self, theirs: socket.socket) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            # NumPy's threads end before a fork.
            warnings.filterwarnings("ignore", ".*multi-threaded", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            self._sock.close()
            fork_workers(theirs, self.lifeline)
        return pid

    async def start(self, process: SpawnProcess) -> ForkedWorker | None:
        """A process that does what ``process`` is to do; None if that has to be started itself.

        Raises OSError if there is no room for a process. If that is a ConnectionError, the server
        is gone, and may have forked one before.
        """
        if self.pid is None:
            return None
        link = self._link = self._link or self._linked()
        with _handed_over(process) as descriptors:
            if len(descriptors) > MOST_HANDED:
                return None
            question = partial(ForkWorker, descriptors=len(descriptors))
            asking = asyncio.ensure_future(link.ask(question, descriptors))
            # If nobody waits any more, at a stop, it may fail all the same.
            asking.add_done_callback(lambda done: done.cancelled() or done.exception())
            try:
                await self._until_answered(asking, self.pid)
                worker: ForkedWorker = await asking
            finally:
                asking.cancel()
            return worker

    async def _until_answered(self, asking: asyncio.Future[ForkedWorker], pid: int) -> None:
        stopped = Stopped()
        for _ in range(_MOST_LOOKS):
            answered, _waiting = await asyncio.wait([asking], timeout=LOOK_EVERY_S)
            if answered:
                return
            if stopped.for_long(pid):
                break
        self._lost()

    def close(self) -> None:
        """Ends it, and all workers, whoever has started them."""
        self.lifeline.close()
        self._end()
        self._sock.close()

    def _linked(self) -> Link[_FromServer]:
        link: Link[_FromServer] = Link(
            self._sock, _FromServer, self._heard, self._lost, "the worker server"
        )
        link.send(ImportModules(tuple(sorted(_own_modules() - self._imported))))
        return link

    def _heard(self, message: _FromServer, descriptors: list[int]) -> None:
        match message:
            case Forked():
                self._forked(message, descriptors)
            case CannotFork():
                self._fail(message.call, OSError(message.reason))
            case Ended():
                ending = self._endings.pop(message.pid, None)
                if ending is not None:
                    ending.set_result(Ending(message.code))

    def _forked(self, message: Forked, descriptors: list[int]) -> None:
        assert self._link is not None
        if not descriptors:
            os.kill(message.pid, signal.SIGKILL)
            self._fail(message.call, OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
            return
        ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._endings[message.pid] = ending
        worker = ForkedWorker(message.pid, descriptors[0], ending)
        if not self._link.answer(message.call, worker):
            worker.kill()
            os.close(worker.sentinel)

    def _fail(self, call: int, error: OSError) -> None:
        assert self._link is not None
        self._link.fail(call, error)

    def _lost(self) -> None:
        if (ending := self._end()) is not None:
            what = "this process starts HTTP workers by itself from now on, which takes longer"
            _log.warning("the worker server does not go on, it %s: %s", ending, what)

    def _end(self) -> Ending | None:
        """How it ended; None if there was none."""
        pid, self.pid = self.pid, None
        if pid is None:
            return None
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        ending = Ending()
        with suppress(ChildProcessError):  # whoever started this process ignores how children end
            ending = Ending(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        if self._link is not None:
            self._link.end(lambda: ConnectionResetError("the worker server has ended"))
        for waited_for in self._endings.values():
            waited_for.set_result(Ending())
        self._endings.clear()
        return ending


def _import_plugins(config: Config) -> None:
    """The built-in ones. Whoever needs one that cannot be imported says so."""
    for plugin, load in built_in_plugins():
        if not any(plugin.is_called(name) for name in config.plugins.disabled):
            with suppress(Exception):
                load()


def _own_modules() -> frozenset[str]:
    """Those of TFaaS that are imported. Plugins of others are for each worker to import."""
    return frozenset(name for name in sys.modules if name.partition(".")[0] in _PACKAGES)


class _Handover:
    """For multiprocessing, what starts a process, while that is pickled."""

    DupFd = HandedDescriptor

    def __init__(self) -> None:
        self.descriptors: list[int] = []

    def duplicate_for_child(self, descriptor: int) -> int:
        """Which place it has among those that are sent."""
        self.descriptors.append(descriptor)
        return len(self.descriptors) - 1


@contextmanager
def _handed_over(process: SpawnProcess) -> Iterator[list[int]]:
    """The descriptors of a ForkWorker, in the block.

    What the process is to do is in a file that only the worker reads: the server has nothing of it.
    """
    handover: Any = _Handover()
    with open(os.memfd_create("tfaas-worker"), "w+b") as file:
        set_spawning_popen(handover)
        try:
            pickle.dump(dict(os.environ), file)
            reduction.dump(spawn.get_preparation_data(process.name), file)
            reduction.dump(process, file)
        finally:
            set_spawning_popen(None)
        file.seek(0)
        with stop_signals_blocked():
            tracker: Any = resource_tracker.getfd()
        yield [file.fileno(), tracker, *handover.descriptors]
