"""What a host says of its room for models that servers ask it for."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tfaas_core.engine.base import Candidate, Loaded
from tfaas_core.engine.in_parent.live_seats import LiveSeats
from tfaas_core.engine.in_parent.memory_room import MemoryRoom
from tfaas_core.engine.in_parent.seat import Seat
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.testing.loops import in_event_loop


def seat(ticket: int, key: str, artifact: Path, size: int) -> Seat:
    artifact.write_bytes(bytes(size))
    loaded: asyncio.Future[Loaded] = asyncio.get_running_loop().create_future()
    with_meter = Meter.create(1)
    with_meter.close()
    return Seat(ticket, Candidate(key, key, "fake", str(artifact), {}), with_meter, loaded)


@in_event_loop
async def test_one_that_waits_counts_with_what_it_had_before(tmp_path: Path) -> None:
    room = MemoryRoom(200, LiveSeats({}), lambda _seat, _why: None)
    before = seat(1, "a", tmp_path / "a", 60)
    await room.admit(before)
    before.pid = 1
    room.forget(before)  # its process has not ended yet
    await room.admit(seat(2, "b", tmp_path / "b", 130))
    waiting = asyncio.create_task(room.admit(seat(3, "a", tmp_path / "a", 1)))
    while not room.waiting("a"):
        await asyncio.sleep(0)
    assert not room.fits("c", 5, [])
    waiting.cancel()
