"""How modes are compared, and what a trial takes, from whom, and for how long."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.core.engine.moded import is_quick, moded, uploaded
from tfaas_core.engine.in_parent.modes import mode_trials
from tfaas_core.engine.in_parent.modes.other_load import OtherLoad
from tfaas_core.errors import Unavailable
from tfaas_core.testing import forked
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually

pytestmark = pytest.mark.usefixtures("no_model_process_stays")


@pytest.fixture(autouse=True)
def _few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mode_trials, "_ROUNDS", 2)


@pytest.mark.parametrize("is_felt", [True, False])
@in_event_loop
async def test_threads_that_wait_count_unless_others_have_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_felt: bool
) -> None:
    monkeypatch.setattr(OtherLoad, "is_felt", lambda _self: is_felt)
    monkeypatch.setattr(mode_trials, "_COMPUTES", 0.0)
    monkeypatch.setattr(mode_trials, "_CLEARLY_FASTER", 2.0)  # than what load does to either
    async with moded(tmp_path) as harness:
        version = await uploaded(harness, "waiting")
        assert await is_quick(harness, version) is not is_felt
        told = await harness.worker.engine.acceleration(version)
        assert told["mode_reason"].endswith(", with 3 threads")


@in_event_loop
async def test_what_nobody_wants_any_more_is_not_tried_further(tmp_path: Path) -> None:
    async with moded(tmp_path, workers=2) as harness:
        other = await harness.start_worker(1)
        trying = asyncio.create_task(other.prepare("a", "moded hanging"))
        await eventually(lambda: len(forked.model_processes()) == 2, "it is being tried")
        await harness.stop_worker(1)
        with pytest.raises(Unavailable):
            await trying
        await eventually(lambda: not forked.model_processes(), "no process is left")
        version = await uploaded(harness, "instant")
        told = await harness.worker.engine.acceleration(version)
        assert told["mode_reason"].startswith("no other is tried: a run takes ")


@in_event_loop
async def test_without_room_in_memory_for_a_second_process_nothing_else_is_tried(
    tmp_path: Path,
) -> None:
    async with moded(tmp_path, f"engine.max_memory_bytes={120 << 20}") as harness:
        version = await uploaded(harness, "quicker 60")
        assert not await is_quick(harness, version)
        told = await harness.worker.engine.acceleration(version)
        why = "engine.max_memory_bytes leaves no room for another process"
        assert told["mode_reason"] == f"quick cannot be tried: {why}"


@in_event_loop
async def test_what_is_tried_makes_room_in_memory_for_others_and_keeps_its_mode(
    tmp_path: Path,
) -> None:
    async with moded(tmp_path, f"engine.max_memory_bytes={190 << 20}") as harness:
        version = harness.worker.store("a", "moded hanging 60")
        running = asyncio.create_task(is_quick(harness, version))
        await eventually(lambda: len(forked.model_processes()) == 2, "it is being tried")
        await harness.worker.upload("b", "moded instant 60", mode="usual")
        assert not await running
        told = await harness.worker.engine.acceleration(version)
        assert told["mode_reason"] == "no other is tried: others need the memory that this takes"
        harness.worker.retire(version)
        assert not await is_quick(harness, version)
        assert await harness.worker.engine.acceleration(version) == told
