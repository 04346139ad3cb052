"""Each version is run in the mode of its runtime that is said, or that was found out and kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.core.engine.moded_runtime import OFF_BY, ModedRuntime
from tfaas_core.config import load_config
from tfaas_core.engine.base import Candidate, EngineContext, EngineFactory
from tfaas_core.engine.in_parent import fork_servers, mode_trials
from tfaas_core.engine.in_parent.mode_cache import ModeCache
from tfaas_core.engine.in_parent.mode_trials import Fits, ModeTrials
from tfaas_core.engine.in_parent.other_load import OtherLoad
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.engine.shared.mode import Mode
from tfaas_core.errors import CannotServe, ConfigError, Unavailable
from tfaas_core.models.model import ModelVersion
from tfaas_core.runtime import Runtime
from tfaas_core.testing import forked
from tfaas_core.testing.engine_harness import RUNTIME, Harness, Shelf, rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import FakeRuntime
from tfaas_core.testing.suites.engine.door import DoorFactory
from tfaas_core.testing.waiting import eventually

pytestmark = pytest.mark.usefixtures("no_model_process_stays")


@pytest.fixture(autouse=True)
def _few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models here are clearly faster, or slower: what is measured in vain takes time."""
    monkeypatch.setattr(mode_trials, "_ROUNDS", 2)


@asynccontextmanager
async def moded(
    folder: Path,
    *settings: str,
    runtime: type[Runtime] = ModedRuntime,
    factory: type[EngineFactory] = LocalEngineFactory,
    workers: int = 1,
) -> AsyncIterator[Harness]:
    shelf = folder / "shelf"
    shelf.mkdir(exist_ok=True)
    chosen = ("engine.mode=auto", f"engine.mode_cache={folder / 'modes'}", *settings)
    context = EngineContext(load_config(None, chosen, {}), {RUNTIME: runtime()}, workers)
    harness = Harness(factory(), context, Shelf(shelf))
    try:
        await harness.start()
        yield harness
    finally:
        await harness.close()


async def uploaded(harness: Harness, kind: str, **params: Any) -> ModelVersion:
    """``kind``: what ModedRuntime takes behind ``moded``."""
    return await harness.worker.upload(kind.split()[0], f"moded {kind}", **params)


async def is_quick(harness: Harness, version: ModelVersion) -> bool:
    answer = await harness.worker.run(version, rows_of(3))
    found = {
        name: np.array_equal(answer, rows_of(3).sum(1, keepdims=True) * times)
        for name, times in (("usual", 1), ("quick", OFF_BY))
    }
    assert sum(found.values()) == 1
    return found["quick"]


async def is_quick_anew(harness: Harness, version: ModelVersion, **params: Any) -> bool:
    """Whether it is, once it was loaded again, with these params."""
    harness.worker.retire(version)
    return await is_quick(harness, msgspec.structs.replace(version, params=params))


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Gets the name of each model that is tried."""
    tried: list[str] = []
    fastest = ModeTrials.fastest

    async def noted(self: ModeTrials, candidate: Candidate, threads: int, fits: Fits) -> Mode:
        tried.append(candidate.name)
        return await fastest(self, candidate, threads, fits)

    monkeypatch.setattr(ModeTrials, "fastest", noted)
    return tried


@in_event_loop
async def test_the_faster_mode_is_found_out_once_and_kept(
    tmp_path: Path, trials: list[str]
) -> None:
    async with moded(tmp_path) as harness:
        version = await uploaded(harness, "quicker")
        assert await is_quick(harness, version)
        told = await harness.worker.engine.acceleration(version)
        assert told["mode"] == "quick"
        assert told["mode_reason"].startswith("quick is ")
        assert await is_quick_anew(harness, version)
    async with moded(tmp_path) as harness:
        assert await is_quick(harness, version)
        assert len(trials) == 1


@in_event_loop
async def test_a_cache_that_cannot_be_used_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_thread(*_arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    (tmp_path / "modes").touch()  # where the folder should be
    async with moded(tmp_path) as harness:
        for name in "ab":
            version = harness.worker.store(name, "moded instant")
            assert not await is_quick(harness, version)
            assert f"the mode of {version.key} cannot be read: " in caplog.text
            assert "a mode cannot be kept in engine.mode_cache: " in caplog.text
            caplog.clear()
            monkeypatch.setattr(ModeCache, "find", no_thread)
            monkeypatch.setattr(ModeCache, "keep", no_thread)


@pytest.mark.parametrize("is_felt", [True, False])
@in_event_loop
async def test_threads_that_wait_count_unless_others_have_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_felt: bool
) -> None:
    monkeypatch.setattr(OtherLoad, "is_felt", lambda _self: is_felt)
    monkeypatch.setattr(mode_trials, "_COMPUTES", 0.0)
    async with moded(tmp_path) as harness:
        version = await uploaded(harness, "waiting")
        assert await is_quick(harness, version) is not is_felt
        told = await harness.worker.engine.acceleration(version)
        assert told["mode_reason"].endswith(", with 3 threads")


@in_event_loop
async def test_other_threads_are_another_choice(tmp_path: Path, trials: list[str]) -> None:
    async with moded(tmp_path) as harness:
        version = await uploaded(harness, "instant", threads=2)
        assert not await is_quick_anew(harness, version, threads=2)
        assert len(trials) == 1
        assert not await is_quick_anew(harness, version)
        assert len(trials) == 2


@in_event_loop
async def test_a_mode_that_nothing_runs_in_has_no_fork_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_servers, "REST_AFTER_S", 0.0)
    async with moded(tmp_path) as harness:
        await uploaded(harness, "slower")
        await eventually(lambda: len(forked.fork_servers()) == 1, "the other has ended")
        version = await uploaded(harness, "slower", mode="quick")
        assert await is_quick(harness, version)
        assert len(forked.fork_servers()) == 2


@in_event_loop
async def test_a_remote_host_tells_the_mode(tmp_path: Path) -> None:
    async with moded(tmp_path, factory=DoorFactory) as harness:
        version = await uploaded(harness, "instant")
        told = await harness.worker.engine.acceleration(version)
        assert told["mode"] == "usual"
        assert told["mode_reason"].startswith(WHYS["instant"])


WHYS = {
    "slower": "quick is ",
    "instant": "no other is tried: a run takes ",
    "dying": "quick cannot be tried: its process was killed by SIGABRT",
    "stateful": "no other is tried: it keeps state, or draws random numbers",
}


@in_event_loop
async def test_all_else_is_run_as_usual(tmp_path: Path) -> None:
    async with moded(tmp_path) as harness:
        for kind, why in WHYS.items():
            version = await uploaded(harness, kind)
            assert not await is_quick(harness, version)
            told = await harness.worker.engine.acceleration(version)
            assert told["mode"] == "usual"
            assert told["mode_reason"].startswith(why)


@in_event_loop
async def test_a_trial_that_hangs_ends_in_time_and_is_repeated_at_the_next_start(
    tmp_path: Path, trials: list[str]
) -> None:
    async with moded(tmp_path, "engine.tune_s=1") as harness:
        version = await uploaded(harness, "hanging")
        assert not await is_quick(harness, version)
        told = await harness.worker.engine.acceleration(version)
        assert told["mode_reason"] == "no other is tried: trying takes longer than 1 s"
        assert not await is_quick_anew(harness, version)
        assert len(trials) == 1
    async with moded(tmp_path, "engine.tune_s=0.1") as harness:
        assert not await is_quick(harness, version)
        assert len(trials) == 2


@in_event_loop
async def test_one_that_is_tried_does_not_hold_up_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = asyncio.Event()

    async def held(_self: ModeTrials, *_given: object) -> Mode:
        await goes_on.wait()
        return Mode()

    monkeypatch.setattr(ModeTrials, "fastest", held)
    async with moded(tmp_path, "engine.tune_s=0.01") as harness:
        first, second = (
            asyncio.create_task(harness.worker.upload(name, "moded instant")) for name in "ab"
        )
        done, _ = await asyncio.wait([first, second], return_when=asyncio.FIRST_COMPLETED)
        told = await harness.worker.engine.acceleration(done.pop().result())
        assert (
            told["mode_reason"]
            == "no other is tried: others have been tried for longer than 0.01 s"
        )
        goes_on.set()
        await asyncio.gather(first, second)


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
        assert told["mode_reason"].startswith(WHYS["instant"])


@in_event_loop
async def test_without_room_in_memory_for_a_second_process_nothing_else_is_tried(
    tmp_path: Path,
) -> None:
    async with moded(tmp_path, f"engine.max_memory_bytes={120 << 20}") as harness:
        version = await uploaded(harness, "quicker 60")
        assert not await is_quick(harness, version)
        told = await harness.worker.engine.acceleration(version)
        why = "engine.max_memory_bytes leaves no room for it beside other models"
        assert told["mode_reason"] == f"quick cannot be tried: {why}"


@in_event_loop
async def test_what_is_tried_makes_room_in_memory_for_other_models(tmp_path: Path) -> None:
    async with moded(tmp_path, f"engine.max_memory_bytes={170 << 20}") as harness:
        trying = asyncio.create_task(harness.worker.upload("a", "moded hanging 60"))
        await eventually(lambda: len(forked.model_processes()) == 2, "it is being tried")
        await harness.worker.upload("b", "moded instant 60", mode="usual")
        version = await trying
        assert not await is_quick(harness, version)
        told = await harness.worker.engine.acceleration(version)
        assert told["mode_reason"] == "no other is tried: others need the memory that this takes"


@in_event_loop
async def test_what_is_said_is_not_tried(tmp_path: Path, trials: list[str]) -> None:
    async with moded(tmp_path, "engine.mode=usual") as harness:
        assert not await is_quick(harness, await uploaded(harness, "quicker"))
        said = await uploaded(harness, "slower", mode="quick")
        assert await is_quick(harness, said)
        said = msgspec.structs.replace(said, params={"mode": "quick"})
        told = await harness.worker.engine.acceleration(said)
        assert told == {"mode": "quick", "mode_reason": "its params say so"}
        with pytest.raises(CannotServe, match='mode is "swift", but the runtime'):
            await uploaded(harness, "slower", mode="swift")
    async with moded(tmp_path, "engine.mode=quick") as harness:
        assert await is_quick(harness, await uploaded(harness, "slower"))
        assert not await is_quick(harness, await uploaded(harness, "quicker", mode="usual"))
    assert trials == []


@in_event_loop
async def test_a_mode_that_no_runtime_has_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there are: usual, auto, quick"):
        async with moded(tmp_path, "engine.mode=swift"):
            pass


@in_event_loop
async def test_a_runtime_without_modes_is_served_as_ever(tmp_path: Path) -> None:
    async with moded(tmp_path, runtime=FakeRuntime) as harness:
        version = await harness.worker.upload("sum", "sum")
        told = await harness.worker.engine.acceleration(version)
        assert told == {"mode": "usual", "mode_reason": "its runtime has no other mode"}
