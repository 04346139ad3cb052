"""Processes for contract suites: they fork, report and get killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NoReturn, TypeAlias, TypeVar

Report: TypeAlias = Callable[..., None]
"""Sends values, as JSON, from a child to its parent."""
T = TypeVar("T")

_LIFETIME_S = 600


def apart(work: Callable[..., T], *arguments: Any) -> T:
    """What ``work`` returns in a spawned process, which has no other threads."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sending, work, arguments), daemon=True)
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


def _answer(sending: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        sending.send((work(*arguments), None))
    except BaseException:
        sending.send((None, traceback.format_exc()))


class Child:
    """A forked process, and what it reports; it dies by itself after ten minutes."""

    def __init__(self, work: Callable[[Report], None]) -> None:
        reading, writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            signal.alarm(_LIFETIME_S)
            _run_child(work, writing)
        os.close(writing)
        self._reports = os.fdopen(reading)

    def report(self) -> list[Any]:
        """The next report."""
        values: list[Any] = json.loads(self._reports.readline())
        return values

    def has_ended(self) -> bool:
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._pid, flags) is not None

    def finish(self) -> list[list[Any]]:
        """Waits for its good end; returns the remaining reports."""
        reports = self._rest()
        _, status = os.waitpid(self._pid, 0)
        assert status == 0, f"the child ended with {status}: {reports[-1:]}"
        return reports

    def kill(self) -> list[list[Any]]:
        """SIGKILL; returns the remaining reports."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        return self._rest()

    def _rest(self) -> list[list[Any]]:
        with self._reports:
            return [json.loads(line) for line in self._reports]


def _run_child(work: Callable[[Report], None], writing: int) -> NoReturn:
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
