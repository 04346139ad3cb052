"""Preloading: imports the modules that runtimes ask for, and says which of them is to blame."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterable

from tfaas_core.system.output.one_line import described

_THREADS_END_WITHIN_S = 1.0


class PreloadFailedError(Exception):
    """A module cannot be preloaded; the message is a clause that names it, and says why."""


def preload(modules: Iterable[str], on_import: Callable[[str], None]) -> None:
    """Imports ``modules`` in order; calls ``on_import`` before each. Raises PreloadFailedError.

    Whatever a module raises is its failure, SystemExit too; and so is a thread that it starts,
    because a process with several threads cannot be forked safely.
    """
    for module in modules:
        on_import(module)
        try:
            importlib.import_module(module)
        except BaseException as error:
            raise PreloadFailedError(f"importing {module!r} raises {described(error)}") from error
        if not _has_one_thread():
            raise PreloadFailedError(
                f"importing {module!r} starts a thread, which must not be before a model is loaded"
            )


def _has_one_thread() -> bool:
    """Whether there is no other thread, or none that stays."""
    deadline_s = time.monotonic() + _THREADS_END_WITHIN_S
    while len(os.listdir("/proc/self/task")) > 1:
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.01)
    return True
