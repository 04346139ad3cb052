"""Last tasks: what plugins leave behind in an HTTP worker, which does not wait for it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Collection, Iterator
from typing import Any

from tfaas_core.processes.in_worker.blocker import find_blocker
from tfaas_core.routing.culprit import by_module, plugin_of

LAST_S = 2.0
"""How long all together have to end, once they were cancelled."""

_log = logging.getLogger("tfaas.worker")


def end_soon(
    loop: asyncio.AbstractEventLoop, plugins: Callable[[], Collection[str]], end: Callable[[], None]
) -> None:
    """Called when ``loop`` is about to be closed, which may wait for tasks and threads for ever.

    Calls ``end``, which ends the process, once they have had their time, and was told who did not
    heed it. ``plugins`` gives the modules of those that are installed.
    """

    def give_up() -> None:
        for who in _left(loop, plugins()) or ["something"]:
            _log.error("%s does not end: this HTTP worker ends without it", who)
        end()

    timer = threading.Timer(LAST_S, give_up)
    timer.daemon = True
    timer.start()


def _left(loop: asyncio.AbstractEventLoop, plugins: Collection[str]) -> list[str]:
    return [*_busy_threads(plugins)] or [*_tasks(loop, plugins)]


def _busy_threads(plugins: Collection[str]) -> Iterator[str]:
    """Where the code of plugins is that threads are in."""
    for thread in threading.enumerate():
        blocker = find_blocker(thread.ident or 0, plugins, ())
        if blocker is not None and blocker.owner.startswith("plugin "):
            yield str(blocker)


def _tasks(loop: asyncio.AbstractEventLoop, plugins: Collection[str]) -> Iterator[str]:
    names = by_module(plugins)
    for task in asyncio.all_tasks(loop):
        owners = [owner for each in _modules(task.get_coro()) if (owner := plugin_of(each, names))]
        of = f" of plugin {owners[-1]}" if owners else ""
        what = getattr(task.get_coro(), "__qualname__", "")
        yield f"the task `{task.get_name()}`{of} ({what})"


def _modules(awaited: Any) -> Iterator[str]:
    """Whose code a coroutine is in, the innermost last."""
    while (frame := getattr(awaited, "cr_frame", None)) is not None:
        yield str(frame.f_globals.get("__name__", ""))
        awaited = awaited.cr_await
