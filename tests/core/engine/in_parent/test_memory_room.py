"""The memory that models have together: who makes room, who waits, and that all are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.core.engine.engines import WITHIN_S, engine, healed, upload_and_find
from tfaas_core.engine.base import Candidate, EngineFactory, Loaded
from tfaas_core.engine.in_parent import memory_room
from tfaas_core.engine.in_parent.live_seats import LiveSeats
from tfaas_core.engine.in_parent.memory_room import MemoryRoom
from tfaas_core.engine.in_parent.model_processes import ModelProcess, ModelProcesses
from tfaas_core.engine.in_parent.seat import Seat
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.errors import Unavailable, UnknownVersion
from tfaas_core.events import ModelLoaded, ModelUnloaded
from tfaas_core.models.model import ModelVersion
from tfaas_core.system.resources.memory import KnownMemory
from tfaas_core.testing.engine_harness import Worker, is_sum, rows_of, started
from tfaas_core.testing.forked import is_alive, model_processes
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import SIGNATURE
from tfaas_core.testing.suites.engine.door import DoorFactory
from tfaas_core.testing.waiting import eventually

pytestmark = pytest.mark.usefixtures("no_model_process_stays")

MIB = 1 << 20
ROOM = f"engine.max_memory_bytes={90 * MIB}"
"""For a process that holds 30 MiB, and takes 45 in all, but not beside an artifact of 70."""

ROOM_FOR_ONE = f"engine.max_memory_bytes={MIB}"
"""For any, but alone."""

ROOM_FOR_TWO = f"engine.max_memory_bytes={170 * MIB}"
"""For two processes that hold 60 MiB, with 25 of their own beside it, and not for three."""


def large(word: str, mebibytes: int) -> str:
    """An artifact of that size, which does the same."""
    return word + " " * (mebibytes * MIB)


async def until_it_is(worker: Worker, model: str, state: str) -> None:
    async with asyncio.timeout(WITHIN_S):
        while (model, state) not in {(s.model, s.state) for s in await worker.engine.servables()}:
            pass


@in_event_loop
async def test_the_least_recently_used_makes_room_for_what_a_process_is_found_to_have(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path, ROOM_FOR_TWO) as harness:
        a, first = await upload_and_find(harness.worker, "a", "hold 60")
        b, second = await upload_and_find(harness.worker, "b", "hold 60")
        await harness.worker.run(a, rows_of(1))
        _c, third = await upload_and_find(harness.worker, "c", "hold 60")
        await eventually(lambda: not is_alive(second), "the least recently used is gone")
        assert is_alive(first)
        assert is_alive(third)
        assert is_sum(await harness.worker.run(b, rows_of(2)), rows_of(2))


@in_event_loop
async def test_a_version_is_gone_before_one_that_does_not_fit_beside_it_is_loaded(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path, ROOM) as harness:
        old, process = await upload_and_find(harness.worker, "vk", "hold 30")
        new = await harness.worker.upload("vk", large("hold 30", 70))
        assert not is_alive(process)
        told = [type(event) for event in harness.events if event.model == "vk"]
        assert told == [ModelLoaded, ModelUnloaded, ModelLoaded]
        harness.worker.retire(old)
        # Whoever still wants the old one waits for it, and who wants the new one for that.
        answers = await asyncio.gather(*[harness.worker.run(v, rows_of(1)) for v in (old, new)])
        assert all(is_sum(answer, rows_of(1)) for answer in answers)


@in_event_loop
async def test_a_request_waits_while_an_upload_has_its_room_and_then_goes_on(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path, ROOM, "server.request_timeout_s=0.5") as harness:
        version, process = await upload_and_find(harness.worker, "a", "hold 30")
        upload = harness.worker.candidate("b", large("hold 60", 70))
        loaded = await harness.worker.engine.prepare(upload)
        assert not is_alive(process)
        (error,) = await harness.worker.run_all(version, [rows_of(1)])
        assert type(error) is Unavailable
        assert "still loading" in error.message
        harness.worker.engine.discard(loaded.ticket)
        await healed(harness.worker, version)


@pytest.mark.parametrize("factory", [LocalEngineFactory, DoorFactory])
@in_event_loop
async def test_workers_hear_that_a_version_was_replaced_until_they_know(
    tmp_path: Path, factory: Callable[[], EngineFactory]
) -> None:
    async with started(factory(), tmp_path, ["engine.isolation=model", ROOM], 2) as harness:
        old, process = await upload_and_find(harness.worker, "vk", "hold 30")
        other = await harness.start_worker(1)
        asked = list[asyncio.Task[object]]()

        async def ask(_new: ModelVersion) -> None:
            assert not is_alive(process)
            asked.append(asyncio.create_task(harness.worker.try_run(old, rows_of(1))))
            await until_it_is(harness.worker, "vk/1", "loading")

        await harness.worker.upload("vk", large("hold 60", 70), ask)
        for told in (await asked[0], await other.try_run(old, rows_of(1))):
            assert type(told) is UnknownVersion
            assert "was replaced before it was loaded" in told.message
        # Who knows, and wants just this one, gets it.
        harness.worker.retire(old)
        other.engine.looked_up("vk")
        for worker in (harness.worker, other):
            assert is_sum(await worker.run(old, rows_of(2)), rows_of(2))


@in_event_loop
async def test_a_version_that_is_wanted_again_while_it_leaves_counts_with_what_it_had(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path, ROOM_FOR_ONE, workers=2) as harness:
        other = await harness.start_worker(1)
        # Each run of a warm-up, or a trial, would take a second, too.
        version = await harness.worker.upload("a", "sleep 1", warmup="none", batch={"merge": True})
        running = [asyncio.create_task(harness.worker.run(version, rows_of(1)))]
        preparing = asyncio.create_task(harness.worker.prepare("b", "sum"))
        await until_it_is(harness.worker, "a/1", "leaving")
        running.append(asyncio.create_task(other.run(version, rows_of(1))))
        await until_it_is(other, "a/1", "loading")
        loaded = await preparing
        states = {s.model: s.state for s in await other.engine.servables()}
        assert states == {"b": "ready", "a/1": "loading"}
        assert len(model_processes()) == 1
        harness.worker.engine.discard(loaded.ticket)
        assert all(is_sum(answer, rows_of(1)) for answer in await asyncio.gather(*running))


@in_event_loop
async def test_an_upload_does_not_count_with_what_another_one_had(tmp_path: Path) -> None:
    async with engine(tmp_path, ROOM) as harness:
        large_one = await harness.worker.prepare("large", "hold 80")
        harness.worker.engine.discard(large_one.ticket)
        _a, process = await upload_and_find(harness.worker, "a", "hold 30")
        await harness.worker.upload("b", "sum")
        assert is_alive(process)


@in_event_loop
async def test_models_that_do_not_fit_together_take_turns_without_a_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with engine(tmp_path, f"engine.max_memory_bytes={20 * MIB}") as harness:
        versions = [harness.worker.store(name, "hold 30") for name in "abc"]

        async def ask(seed: int) -> None:
            random = Random(seed)
            for turn in range(4):
                rows = rows_of(seed, turn)
                version = random.choice(versions)
                assert is_sum(await harness.worker.run(version, rows), rows)

        await asyncio.gather(*map(ask, range(4)))
        await eventually(lambda: len(model_processes()) == 1, "one is left")
        await eventually(
            lambda: "by itself, and engine.max_memory_bytes is 20 MB" in caplog.text,
            "the log tells of a model that is too large",
        )


@in_event_loop
async def test_who_gets_no_room_in_time_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_room, "ROOM_TIMEOUT_S", 0.2)
    async with engine(tmp_path, ROOM) as harness:
        await harness.worker.engine.prepare(harness.worker.candidate("a", "hold 60"))
        with pytest.raises(
            Unavailable, match=r"within 0\.2 s, the other models left no memory for"
        ):
            await harness.worker.engine.prepare(harness.worker.candidate("b", large("sum", 70)))


@in_event_loop
async def test_what_nobody_wants_any_more_when_its_turn_comes_gets_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, taken, admit, take = list[str](), list[str](), MemoryRoom.admit, ModelProcesses.take

    async def noted_admit(room: MemoryRoom, seat: Seat) -> None:
        waiting.append(seat.candidate.name)
        await admit(room, seat)
        waiting.remove(seat.candidate.name)

    async def noted_take(
        processes: ModelProcesses, ticket: int, candidate: Candidate, mode: str
    ) -> ModelProcess:
        taken.append(candidate.name)
        return await take(processes, ticket, candidate, mode)

    monkeypatch.setattr(MemoryRoom, "admit", noted_admit)
    monkeypatch.setattr(ModelProcesses, "take", noted_take)
    async with engine(tmp_path, "engine.max_memory_bytes=1", workers=2) as harness:
        await harness.worker.prepare("a", "sum")
        other = await harness.start_worker(1)
        preparing = asyncio.create_task(other.prepare("b", "sum"))
        await eventually(lambda: waiting == ["b"], "it waits for room")
        await harness.stop_worker(1)
        with pytest.raises(Unavailable):
            await preparing
        await eventually(lambda: waiting == [], "it waits no more")
        assert taken == ["a"]


@in_event_loop
async def test_what_cannot_be_measured_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_given: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(memory_room, "ROOM_TIMEOUT_S", 30)
    async with engine(tmp_path, f"engine.max_memory_bytes={20 * MIB}") as harness:
        with monkeypatch.context() as patched:
            patched.setattr(memory_room, "_private_bytes", fails)
            patched.setattr(KnownMemory, "of", fails)
            await harness.worker.upload("a", large("sum", 12))
            version = await harness.worker.upload("b", "sum")
            assert is_sum(await harness.worker.run(version, rows_of(1)), rows_of(1))
            waiting = asyncio.ensure_future(harness.worker.upload("c", large("sum", 12)))
            await eventually(lambda: len(model_processes()) == 1, "the others are gone")
        await waiting
        assert caplog.text.count("not known at the moment") == 1


@in_event_loop
async def test_an_artifact_whose_size_nobody_can_find_out_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_given: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(memory_room, "tree_bytes", fails)
    async with engine(tmp_path, ROOM_FOR_TWO) as harness:
        version = await harness.worker.upload("a", "sum")
        assert is_sum(await harness.worker.run(version, rows_of(1)), rows_of(1))


@in_event_loop
async def test_a_further_process_that_finds_no_room_takes_none_of_others(tmp_path: Path) -> None:
    artifact = tmp_path / "artifact"
    artifact.write_bytes(bytes(40))
    seats, meter = dict[int, Seat](), Meter.create(1)
    gone: list[Seat] = []

    def send_away(seat: Seat, _why: str) -> None:
        gone.append(seats.pop(seat.ticket))
        room.forget(seat)

    live = LiveSeats(seats)
    room = MemoryRoom(100, live, send_away)
    for ticket, key in enumerate(["a", "b", "a", "c"]):
        loaded: asyncio.Future[Loaded] = asyncio.get_running_loop().create_future()
        candidate = Candidate(key, key, "fake", str(artifact), {})
        seat = seats[ticket] = Seat(ticket, candidate, meter, loaded, born_s=float(ticket))
        if key not in live:
            live.add(seat)
        await room.admit(seat)
        loaded.set_result(Loaded(ticket, SIGNATURE, mergeable=True))
    meter.close()
    assert [seat.ticket for seat in gone] == [2, 0]
