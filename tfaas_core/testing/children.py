"""Processes for contract suites: they fork, report and get killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, ClassVar, NoReturn, TypeAlias, TypeVar

Report: TypeAlias = Callable[..., None]
"""Sends values, as JSON, from a child to its parent."""
T = TypeVar("T")

_LIFETIME_S = 600


def apart(work: Callable[..., T], *arguments: Any, forks: bool = True) -> T:
    """What ``work`` returns in a spawned process, which has no other threads.

    ``forks`` is what ``Child.forks`` is there.
    """
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    given = (sending, work, arguments, forks)
    process = context.Process(target=_answer, args=given, daemon=forks)
    process.start()
    sending.close()
    try:
        value, fault = receiving.recv()
        process.join()
    except EOFError:
        process.join()
        value, fault = None, f"the process ended with exit code {process.exitcode}"
    finally:
        receiving.close()
    process.close()
    if fault is not None:
        raise AssertionError(fault)
    result: T = value
    return result


def _answer(
    sending: Connection, work: Callable[..., Any], arguments: tuple[Any, ...], forks: bool
) -> None:
    Child.forks = forks
    try:
        sending.send((work(*arguments), None))
    except BaseException:
        sending.send((None, traceback.format_exc()))


class Child:
    """A forked process, and what it reports; it dies by itself after ten minutes."""

    forks: ClassVar[bool] = True
    """Whether it is a fork of this process, with all that this one has begun. If not, it is one of
    an idle process, and its work has to be picklable."""

    def __init__(self, work: Callable[[Report], None]) -> None:
        reading, writing = os.pipe()
        self._process = None if self.forks else self._idle_fork(work, writing)
        self._pid = os.fork() if self._process is None else int(self._process.pid or -1)
        if self._pid == 0:
            _run_child(work, writing)
        os.close(writing)
        self._reports = os.fdopen(reading)

    def _idle_fork(self, work: Callable[[Report], None], writing: int) -> BaseProcess:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tfaas_core.testing.suites.storage.kills"])
        sending = Connection(os.dup(writing), readable=False)
        process = context.Process(target=_run_idle_fork, args=(work, sending))
        process.start()
        sending.close()
        return process

    def report(self) -> list[Any]:
        """The next report."""
        values: list[Any] = json.loads(self._reports.readline())
        return values

    def has_ended(self) -> bool:
        if self._process is not None:
            return not self._process.is_alive()
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._pid, flags) is not None

    def finish(self) -> list[list[Any]]:
        """Waits for its good end; returns the remaining reports."""
        reports = self._rest()
        status = self._wait()
        assert status == 0, f"the child ended with {status}: {reports[-1:]}"
        return reports

    def kill(self) -> list[list[Any]]:
        """SIGKILL; returns the remaining reports."""
        self.signal(signal.SIGKILL)
        self._wait()
        return self._rest()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        os.kill(self._pid, number)

    def _wait(self) -> int | None:
        if self._process is None:
            return os.waitpid(self._pid, 0)[1]
        self._process.join()
        return self._process.exitcode

    def _rest(self) -> list[list[Any]]:
        with self._reports:
            return [json.loads(line) for line in self._reports]


def _run_idle_fork(work: Callable[[Report], None], sending: Connection) -> NoReturn:
    _run_child(work, sending.fileno())


def _run_child(work: Callable[[Report], None], writing: int) -> NoReturn:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_LIFETIME_S)

    def report(*values: Any) -> None:
        os.write(writing, json.dumps(values).encode() + b"\n")

    status = 1
    try:
        work(report)
        status = 0
    except BaseException:
        report(traceback.format_exc())
    finally:
        os._exit(status)
