"""Reloader: runs a server for those who write plugins, and starts it anew when a file changes."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import entry_points
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnProcess
from pathlib import Path

from tfaas_core import hookspecs
from tfaas_core.system.lives.lifeline import Lifeline, tied
from tfaas_core.system.lives.main_module import forget_main

_LOOK_EVERY_S = 0.5
_STOPS = {signal.SIGINT, signal.SIGTERM}
_SIGNALS = {*_STOPS, signal.SIGCHLD}


class Reloader:
    """Runs ``tfaas`` with these ``arguments`` in a process of its own, which ends with this one.

    ``watched`` are files, and folders whose Python files count; it is asked before each start.
    ``tell`` gets what a person should know.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        watched: Callable[[], Iterable[Path]],
        tell: Callable[[str], None],
    ) -> None:
        self._arguments = arguments
        self._watched = watched
        self._tell = tell
        self._lifeline = Lifeline()

    def run(self) -> int:
        """Returns the exit code, once it is told to stop by SIGTERM or Ctrl-C."""
        forget_main()
        # What was written and imported within a second may look the same to Python's cache.
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        # Python starts it with the first process, and then lets signals through.
        resource_tracker.ensure_running()
        with _signals_blocked():
            while (code := self._run_until_a_change()) is None:
                pass
        return code

    def _run_until_a_change(self) -> int | None:
        """The exit code, if it was told to stop meanwhile."""
        watched = [*self._watched()]
        seen = dict(_times(watched))
        process = self._started()
        has_told = False
        while (now := dict(_times(watched))) == seen:
            if not process.is_alive() and not has_told:
                self._tell("the server has ended; it starts again when a file changes")
                has_told = True
            if (stop := _told_to_stop()) is not None:
                return _ended(process, stop)
        changed = sorted(path for path, _ in now.items() ^ seen.items())
        self._tell(f"{changed[0]} has changed; the server starts again")
        # Somebody may tell it to stop just then.
        stops: list[int] = []
        code = _ended(process, signal.SIGTERM, stops)
        return code if stops else None

    def _started(self) -> SpawnProcess:
        end = self._lifeline.end("tfaas-serve")
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=tied, args=(end, _in_own_session, self._arguments))
        process.start()
        return process


def installed_modules() -> Iterator[Path]:
    """The files and folders of the installed plugins; none is imported."""
    for entry in entry_points(group=hookspecs.PROJECT):
        with suppress(ImportError, ValueError):
            spec = importlib.util.find_spec(entry.module.partition(".")[0])
            if spec is not None:
                places = spec.submodule_search_locations or [spec.origin or ""]
                yield from map(Path, places)


def _in_own_session(arguments: Sequence[str]) -> None:
    # Ctrl-C is for the reloader, which passes it on: two of them would cut off requests.
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    sys.argv = ["tfaas", *arguments]
    runpy.run_module("tfaas_core", run_name="__main__")


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """They wait until somebody asks for them, here, and in what is started."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _told_to_stop() -> int | None:
    """The signal that says so; waits for a moment, or for the end of a process."""
    told = signal.sigtimedwait(_SIGNALS, _LOOK_EVERY_S)
    return told.si_signo if told is not None and told.si_signo in _STOPS else None


def _ended(process: SpawnProcess, stop: int, stops: list[int] | None = None) -> int:
    """Ends the server by the signal ``stop``, and by those that come meanwhile; its exit code.

    That is 0 if it had ended by itself. These signals are added to ``stops``.
    """
    if not process.is_alive():
        process.join()
        return 0
    next_stop: int | None = stop
    while process.is_alive():
        if next_stop is not None and process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(process.pid, next_stop)
        next_stop = _told_to_stop()
        if next_stop is not None and stops is not None:
            stops.append(next_stop)
    process.join()
    return process.exitcode or 0


def _times(watched: Iterable[Path]) -> Iterator[tuple[Path, tuple[int, int]]]:
    for path in watched:
        with suppress(OSError):  # it may be gone meanwhile
            for file in path.rglob("*.py") if path.is_dir() else (path,):
                status = file.stat()
                yield file, (status.st_mtime_ns, status.st_size)
