"""An event loop goes on when a task or a callback in it calls exit()."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from tfaas_core.system.loop.exits import run_through_exits

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def run(
    main: Coroutine[Any, Any, None], loop: Callable[[], asyncio.AbstractEventLoop]
) -> list[BaseException]:
    told: list[BaseException] = []
    with asyncio.Runner(loop_factory=loop) as runner:
        run_through_exits(runner, main, told.append)
    return told


async def leave() -> None:
    sys.exit(3)


async def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_exits_beside_are_told_and_end_nothing(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def main() -> None:
        here = asyncio.get_running_loop()
        for work in (leave, interrupt):
            left = asyncio.create_task(work())
            await asyncio.wait([left])
        called = asyncio.Event()
        here.call_soon(called.set)
        here.call_soon(sys.exit, 4)
        await called.wait()
        # What was raised is told when the loop comes round.
        await asyncio.sleep(0)

    told = run(main(), loop)
    assert [type(error) for error in told] == [SystemExit, KeyboardInterrupt, SystemExit]


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_several_at_once_end_nothing(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main() -> None:
        left = [asyncio.create_task(leave()) for _ in range(3)]
        await asyncio.wait(left)
        assert [type(task.exception()) for task in left] == [SystemExit] * 3

    assert run(main(), loop)


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize(("work", "raised"), [(leave, SystemExit), (interrupt, KeyboardInterrupt)])
def test_what_the_main_task_raises_is_raised(
    loop: Callable[[], asyncio.AbstractEventLoop],
    work: Callable[[], Coroutine[Any, Any, None]],
    raised: type[BaseException],
) -> None:
    with pytest.raises(raised):
        run(work(), loop)
