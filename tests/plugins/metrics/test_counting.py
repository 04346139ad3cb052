"""Answers are counted the same, however many are told together, and whoever asks waits for them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence

import pytest
from tfaas_plugins.metrics import families as f
from tfaas_plugins.metrics.cells import AllCells, Cells
from tfaas_plugins.metrics.counting import Counting
from tfaas_plugins.metrics.directory import Directory
from tfaas_plugins.metrics.shared import size_bytes

from tfaas_core.observer import Outcome
from tfaas_core.route import Response
from tfaas_core.shared_memory import SharedMemory
from tfaas_core.testing.fake_request import FakeRequest
from tfaas_core.visit import Visit

BOUNDS_S = f.DURATIONS.bounds
TOO_LONG_S = BOUNDS_S[-1] * 2


def outcome(some: random.Random) -> Outcome:
    """One of few kinds, so that many are alike; often at the bound of a bucket."""
    visit = Visit(begin_s=100.0)
    if some.random() < 0.9:
        visit.codec, visit.model = some.choice(("json", "oip")), some.choice(("a", "b", "gone"))
        visit.version, visit.rows = some.choice((1, 2)), 1
    if visit.codec and some.random() < 0.8:
        visit.wait_s, visit.run_s = some.choice(BOUNDS_S), some.choice((0.0001, 0.003))
        visit.run_rows = some.choice((None, None, 1, 7, 10_000))
    if some.random() < 0.1:
        visit.request_id = f"id-{some.randrange(10)}"
    request = FakeRequest.of("POST", "/json", b"0" * some.randrange(50))
    request.visit = visit
    status = some.choice((200, 200, 200, 422))
    duration_s = some.choice((0.0, TOO_LONG_S, *BOUNDS_S, some.random()))
    return Outcome(request, Response(status=status), "/json", some.randrange(9), 100.0 + duration_s)


def counted(told: Iterable[Sequence[Outcome]]) -> dict[tuple[str, ...], list[float]]:
    """What the cells of each series hold."""
    memory = SharedMemory(size_bytes(workers=1))
    directory = Directory(memory)
    counting = Counting(directory, Cells(memory, 0), lambda name: name != "gone")
    for outcomes in told:
        counting.finished(outcomes)
    totals = AllCells(memory).totals(directory.series, directory.next_cell).tolist()
    return {
        (each.family.name, *each.labels): totals[each.at : each.at + each.family.cells]
        for each in directory.series
    }


@pytest.mark.parametrize("seed", range(20))
def test_answers_are_counted_together_as_one_by_one(seed: int) -> None:
    some = random.Random(seed)
    told = [[outcome(some) for _ in range(some.randrange(1, 60))] for _ in range(5)]
    together = counted(told)
    alone = counted([each] for outcomes in told for each in outcomes)
    assert together.keys() == alone.keys()
    for series, cells in alone.items():
        assert together[series] == pytest.approx(cells), series


def test_an_answer_is_in_the_bucket_that_ends_with_how_long_it_took() -> None:
    some = random.Random(1)
    durations_s = (0.0, *BOUNDS_S, TOO_LONG_S)
    turn = []
    for duration_s in durations_s:
        one = outcome(some)
        visit = one.request.visit = Visit(begin_s=0.0, codec="json", model="a", version=1)
        turn.append(Outcome(one.request, Response(), "/json", 1, visit.begin_s + duration_s))
    some.shuffle(turn)
    *buckets, total_s = counted([turn])[f.DURATIONS.name, "a"]
    assert buckets == [2.0, *(1.0 for _ in BOUNDS_S)]
    assert total_s == pytest.approx(sum(durations_s))


def test_whoever_asks_waits_for_what_another_worker_has_yet_to_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tfaas_plugins.metrics.cells._PATIENCE_S", 60.0)
    memory = SharedMemory(size_bytes(workers=2))
    counting = Counting(Directory(memory), Cells(memory, 1), lambda _name: True)

    async def asked() -> None:
        await AllCells(memory).settled()
        counting.untold()
        asking = asyncio.ensure_future(AllCells(memory).settled())
        await asyncio.sleep(0)
        assert not asking.done()
        counting.finished([outcome(random.Random(1))])
        counting.untold()
        # What is answered later is none of its business.
        await asyncio.wait_for(asking, 30)

    asyncio.run(asked())


def test_nobody_waits_long_for_a_worker_that_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfaas_plugins.metrics.cells._PATIENCE_S", 0.01)
    memory = SharedMemory(size_bytes(workers=1))
    cells = Cells(memory, 0)
    cells.owe()
    asyncio.run(AllCells(memory).settled())
    cells.settle()
    monkeypatch.setattr("tfaas_plugins.metrics.cells._PATIENCE_S", 1e9)
    asyncio.run(AllCells(memory).settled())
