"""Work that somebody ends before it has ended by itself."""

from __future__ import annotations

import asyncio

import pytest

from tfaas_core.system.loop.stopping import until_stopped


def test_it_ends_with_the_work_with_the_stop_or_in_time() -> None:
    came = []

    async def work(seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
            came.append("worked")
        finally:
            came.append("ended")

    async def main() -> None:
        stop = asyncio.Event()
        await until_stopped(stop, work(0))
        assert came == ["worked", "ended"]
        asyncio.get_running_loop().call_soon(stop.set)
        await until_stopped(stop, work(60))
        stop.clear()
        await until_stopped(stop, work(60), 0.01)
        assert came == ["worked", "ended", "ended", "ended"]
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_what_the_work_raises_is_raised_unless_it_was_stopped() -> None:
    async def fails(seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        finally:
            raise KeyError("x")

    async def main() -> None:
        stop = asyncio.Event()
        with pytest.raises(KeyError):
            await until_stopped(stop, fails(0))
        asyncio.get_running_loop().call_soon(stop.set)
        await until_stopped(stop, fails(60))

    asyncio.run(main())
