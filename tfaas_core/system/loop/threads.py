"""Threads: an executor that forgets what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

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
