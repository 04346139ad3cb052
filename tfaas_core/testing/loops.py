"""Tests that are coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

P = ParamSpec("P")

_LIMIT_S = 60.0


def in_event_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Runs a test in an event loop of its own, for a minute at most.

    Where the test is a method and its class has a ``loop_factory``, that makes the loop.
    """

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        loop_factory = getattr(type(args[0]), "loop_factory", None) if args else None
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(asyncio.wait_for(test(*args, **kwargs), _LIMIT_S))

    return run
