"""Interleaving: a call that another thread comes in between, at each line."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from types import CodeType, FrameType
from typing import Any, TypeVar

T = TypeVar("T")

_PATIENCE_S = 0.05
"""For a call that waits for a lock which the interrupted one holds."""
_TIMES_PER_LINE = 2


def interleaved(of: object, call: Callable[[], T], other: Callable[[], T]) -> tuple[T, list[T]]:
    """What ``call`` returns, and ``other`` each time: a thread runs it at each line of ``call``.

    The lines are those of the packages that the class of ``of`` and its bases are from. Raises what
    ``call`` or one of the others raises.
    """
    packages = {kind.__module__.partition(".")[0] for kind in type(of).__mro__} - {"builtins"}
    times: Counter[tuple[CodeType, int]] = Counter()
    others: list[Future[T]] = []
    asked: SimpleQueue[Future[T] | None] = SimpleQueue()

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "call":
            package = str(frame.f_globals.get("__name__")).partition(".")[0]
            return trace if package in packages else None
        at = (frame.f_code, frame.f_lineno)
        times[at] += 1
        if event == "line" and times[at] <= _TIMES_PER_LINE:
            others.append(Future())
            asked.put(others[-1])
            wait(others[-1:], _PATIENCE_S)
        return trace

    before = sys.gettrace()
    # A daemon, unlike the threads of a pool: one that hangs holds up nobody's end.
    threading.Thread(target=_answer, args=(asked, other), daemon=True).start()
    sys.settrace(trace)
    try:
        result = call()
    finally:
        sys.settrace(before)
        asked.put(None)
    return result, [each.result() for each in others]


def _answer(asked: SimpleQueue[Future[T] | None], call: Callable[[], T]) -> None:
    while (future := asked.get()) is not None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)
