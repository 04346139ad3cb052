"""Steps are taken note of where somebody follows, and nowhere else."""

from __future__ import annotations

import asyncio

import pytest

from tfaas_core.steps import Step, following, step


def test_what_a_followed_task_and_its_tasks_go_through_is_kept_and_no_other() -> None:
    ours: list[Step] = []
    theirs: list[Step] = []

    async def work(name: str) -> None:
        with step(name):
            await asyncio.sleep(0)

    async def request(steps: list[Step] | None, name: str) -> None:
        with following(steps):
            await asyncio.gather(work(f"{name}-a"), asyncio.ensure_future(work(f"{name}-b")))
        with step(f"{name}-after"):
            pass

    async def all_at_once() -> None:
        await asyncio.gather(request(ours, "x"), request(theirs, "y"), request(None, "z"))

    asyncio.run(all_at_once())
    assert sorted(each.name for each in ours) == ["x-a", "x-b"]
    assert sorted(each.name for each in theirs) == ["y-a", "y-b"]
    assert all(each.begin_s <= each.end_s for each in ours)


def test_a_step_that_fails_is_one_too() -> None:
    steps: list[Step] = []
    with pytest.raises(ZeroDivisionError), following(steps), step("divides"):
        _ = 1 / 0
    assert [each.name for each in steps] == ["divides"]
