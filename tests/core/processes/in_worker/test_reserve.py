"""The last HTTP worker helps the others as long as they need it, and no longer."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from tests.core.http.served import Served, serve
from tfaas_core.processes.in_worker.reserve import (
    MANY,
    Roster,
    Sign,
    Turns,
    are_short,
    too_many,
    would_do,
)
from tfaas_core.settings.tables import Server
from tfaas_core.system.loop.tasks import Tasks

NOW_S = 1000.0
AT_EASE = Sign(NOW_S, 10, 0.3)


@pytest.mark.parametrize(
    ("others", "short"),
    [
        ([AT_EASE], False),
        ([AT_EASE, AT_EASE, AT_EASE], False),
        ([Sign(NOW_S, MANY, 0.3)], False),
        ([Sign(NOW_S, MANY + 1, 0.3)], True),
        ([Sign(NOW_S, MANY + 1, 0.3), AT_EASE], False),
        ([Sign(NOW_S, 2 * MANY, 0.3), AT_EASE], True),
        ([Sign(NOW_S, 1, 0.99)], True),
        ([Sign(NOW_S, 1, 0.99), AT_EASE], False),
        ([Sign(NOW_S - 0.2, 1, 0.1)], False),
        ([Sign(NOW_S - 0.4, 1, 0.1), AT_EASE], True),
    ],
)
def test_it_is_needed_if_others_are_many_busy_or_silent(others: list[Sign], short: bool) -> None:
    assert are_short(others, NOW_S, True) is short


@pytest.mark.parametrize(
    ("others", "reserve", "is_spare"),
    [
        ([AT_EASE], Sign(NOW_S, 0, 0.0), True),
        ([AT_EASE], Sign(NOW_S, 20, 0.2), True),
        ([AT_EASE], Sign(NOW_S, 20, 0.5), False),
        ([AT_EASE], Sign(NOW_S, 40, 0.1), False),
        ([AT_EASE, AT_EASE], Sign(NOW_S, 40, 0.1), True),
    ],
)
def test_it_is_spare_once_the_others_could_have_all_with_ease(
    others: list[Sign], reserve: Sign, is_spare: bool
) -> None:
    assert would_do(others, reserve, True) is is_spare
    assert not are_short(others, NOW_S, True)


@pytest.mark.parametrize(
    ("own", "other", "leaves", "with_an_idle_one_of_10"),
    [
        (Sign(NOW_S, 200, 0.99), Sign(NOW_S, 0, 0.1), 100, 100),
        (Sign(NOW_S, 200, 0.99), Sign(NOW_S, 90, 0.1), 55, 95),
        (Sign(NOW_S, 200, 0.99), Sign(NOW_S, 110, 0.1), 0, 95),
        (Sign(NOW_S, 200, 0.7), Sign(NOW_S, 0, 0.1), 0, 0),
        (Sign(NOW_S, 200, 0.99), Sign(NOW_S, 0, 0.8), 0, 95),
        (Sign(NOW_S, 200, 0.99), Sign(NOW_S - 1, 0, 0.1), 0, 95),
        (Sign(NOW_S, MANY, 0.99), Sign(NOW_S, 0, 0.1), 0, 0),
        # One that is gone, and a reserve that rests.
        (Sign(NOW_S, 200, 0.99), Sign(0.0, 0, 0.0, accepts=False), 0, 95),
        (Sign(NOW_S, 200, 0.99), Sign(NOW_S, 0, 0.0, accepts=False), 0, 95),
    ],
)
def test_a_busy_worker_with_most_connections_leaves_some_to_an_idle_one(
    own: Sign, other: Sign, leaves: int, with_an_idle_one_of_10: int
) -> None:
    assert too_many(own, [other]) == leaves
    assert too_many(own, [other, AT_EASE]) == with_an_idle_one_of_10


def test_a_lone_worker_is_no_reserve_nor_is_one_that_was_not_to_be() -> None:
    assert Roster.of(Server(workers=1)) is None
    assert Roster.of(Server(workers=2, reserve_worker=False)) is None
    roster = Roster.of(Server(workers=2))
    assert roster is not None
    assert roster.is_reserve(1)


def test_it_helps_busy_workers_only_if_there_is_a_core_for_it() -> None:
    busy = [Sign(NOW_S, 10, 0.99)]
    assert are_short(busy, NOW_S, True)
    assert not would_do(busy, AT_EASE, True)
    assert not are_short(busy, NOW_S, False)
    assert would_do(busy, AT_EASE, False)


def test_each_hears_what_the_others_say_until_they_are_gone() -> None:
    roster = Roster(3)
    now_s = time.monotonic()
    # Nobody has said anything yet.
    assert are_short(roster.others(2), now_s, False)
    for worker in range(3):
        roster.say(worker, Sign(now_s, worker, 0.5))
    assert roster.others(2) == [Sign(now_s, 0, 0.5), Sign(now_s, 1, 0.5)]
    assert not are_short(roster.others(2), now_s, False)
    roster.gone(0)
    assert are_short(roster.others(2), now_s, False)
    assert [roster.is_reserve(worker) for worker in range(3)] == [False, False, True]


@pytest.mark.parametrize(("connections", "helps"), [(11, True), (10, False)])
def test_where_workers_may_have_few_connections_half_of_those_are_many(
    connections: int, helps: bool
) -> None:
    roster = Roster(2)

    async def begin(served: Served) -> None:
        tasks = Tasks(logging.getLogger(__name__))
        served.server.rest()
        roster.say(0, Sign(time.monotonic() + 60, connections, 0.3))
        with Turns(roster, 1, served.server, tasks):
            for _ in range(10):
                await asyncio.sleep(0)
        assert served.server.is_accepting is helps
        await tasks.cancel()

    serve({}, begin, "limits.max_connections=20")
