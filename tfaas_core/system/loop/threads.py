"""Threads: an executor that forgets what it refuses, and one for each kind of work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

THREADS = 4
"""Of each kind; they are started when they are needed."""

P = ParamSpec("P")
T = TypeVar("T")


class Threads(ThreadPoolExecutor):
    """As its parent, but for work that is refused because no thread can be started.

    The parent keeps that in its queue: some thread would do it later, when nobody waits for it. It
    might claim a model, say, for good.
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Raises RuntimeError if it will not be done."""
        future: Future[T] = Future()

        def work() -> None:
            if future.set_running_or_notify_cancel():
                _settle(future, fn, args, kwargs)

        try:
            super().submit(work)
        except RuntimeError:
            if future.cancel():
                raise
        return future


def _settle(future: Future[T], fn: Callable[..., T], args: Any, kwargs: Any) -> None:
    try:
        result = fn(*args, **kwargs)
    except BaseException as error:
        future.set_exception(error)
        del future  # which the error's traceback would keep, and that the error
    else:
        future.set_result(result)


class ThreadsByKind:
    """Executors of one HTTP worker; a kind is the name of a codec or a protocol, say.

    They are its own: asyncio's threads may all be waiting for a storage. All belongs to the event
    loop.
    """

    def __init__(self) -> None:
        self._executors: dict[str, ThreadPoolExecutor] = {}

    def run(self, kind: str, work: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """``work(*arguments)``, done by a thread of this kind."""
        if (found := self._executors.get(kind)) is None:
            found = self._executors[kind] = Threads(THREADS, f"tfaas-{kind}")
        return asyncio.get_running_loop().run_in_executor(found, work, *arguments)

    def close(self) -> None:
        """Gives them back; what they are at, they finish."""
        for executor in self._executors.values():
            executor.shutdown(wait=False)
