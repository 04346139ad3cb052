"""Exits: calls of ``exit()`` in an event loop that has to go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


def run_through_exits(
    runner: asyncio.Runner,
    main: Coroutine[Any, Any, None],
    told: Callable[[BaseException], None],
) -> None:
    """Runs ``main`` to its end, whatever tasks and callbacks beside it do.

    asyncio ends the event loop if one of them raises SystemExit or KeyboardInterrupt. ``told`` gets
    what was raised. What ``main`` itself raises is raised.
    """
    loop = runner.get_loop()
    task = loop.create_task(main)
    while True:
        try:
            return loop.run_until_complete(task)
        except (SystemExit, KeyboardInterrupt) as error:
            if task.done():
                raise
            told(error)
