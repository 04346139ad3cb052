"""Each version is run in the mode of its runtime that is said, or that was found out and kept."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.core.engine.moded import is_quick, moded, uploaded
from tests.core.engine.moded_runtime import ModedRuntime
from tfaas_core.engine.base import Candidate, EngineFactory
from tfaas_core.engine.in_parent.fork_servers import fork_servers
from tfaas_core.engine.in_parent.modes import mode_trials
from tfaas_core.engine.in_parent.modes.mode_cache import ModeCache
from tfaas_core.engine.in_parent.modes.mode_trials import Fits, ModeTrials
from tfaas_core.engine.in_parent.modes.modes import Modes
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.engine.shared.mode import Mode
from tfaas_core.errors import CannotServe, ConfigError
from tfaas_core.models.model import ModelVersion
from tfaas_core.testing import forked
from tfaas_core.testing.engine_harness import Harness
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import FakeRuntime
from tfaas_core.testing.suites.engine.door import DoorFactory
from tfaas_core.testing.waiting import eventually

pytestmark = pytest.mark.usefixtures("no_model_process_stays")


@pytest.fixture(autouse=True)
def _few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models here are clearly faster, or slower: what is measured in vain takes time."""
    monkeypatch.setattr(mode_trials, "_ROUNDS", 2)


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


@in_event_loop
async def test_how_many_rows_share_a_run_is_told_where_not_all_do(tmp_path: Path) -> None:
    async with moded(tmp_path, "engine.mode=usual", "engine.shared_rows=3") as harness:
        for params, most in (({}, 3), ({"shared_rows": 5}, 5)):
            version = await uploaded(harness, "instant", **params)
            assert (await harness.worker.engine.acceleration(version))["shared_rows"] == most


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


SERVABLE = {"threads": 3, "executor": "in turn"}
"""What a ModedServable says of itself."""

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
async def test_what_is_said_is_not_tried(tmp_path: Path, trials: list[str]) -> None:
    async with moded(tmp_path, "engine.mode=usual") as harness:
        assert not await is_quick(harness, await uploaded(harness, "quicker"))
        said = await uploaded(harness, "slower", mode="quick")
        assert await is_quick(harness, said)
        said = msgspec.structs.replace(said, params={"mode": "quick"})
        told = await harness.worker.engine.acceleration(said)
        assert told == {"mode": "quick", "mode_reason": "its params say so", **SERVABLE}
        with pytest.raises(CannotServe, match='mode is "swift", but the runtime'):
            await uploaded(harness, "slower", mode="swift")
    async with moded(tmp_path, "engine.mode=quick") as harness:
        assert await is_quick(harness, await uploaded(harness, "slower"))
        assert not await is_quick(harness, await uploaded(harness, "quicker", mode="usual"))
    assert trials == []


@pytest.mark.parametrize("factory", [LocalEngineFactory, DoorFactory])
@in_event_loop
async def test_what_runs_a_model_as_usual_is_told_once_it_is_loaded(
    tmp_path: Path, factory: type[EngineFactory]
) -> None:
    async with moded(tmp_path, "engine.mode=usual", factory=factory) as harness:
        version = harness.worker.store("quicker", "moded quicker")
        assert await harness.worker.engine.acceleration(version) == {}
        assert not await is_quick(harness, version)
        told = await harness.worker.engine.acceleration(version)
        assert told == {"mode": "usual", **SERVABLE}


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


@in_event_loop
async def test_one_that_cannot_be_tried_runs_as_is_said_or_known_of_it(tmp_path: Path) -> None:
    quick = Mode("quick", 1, found_for=0, lasts=True)
    version = Candidate("a", "a/1", "moded", "", {})
    said = msgspec.structs.replace(version, params={"mode": "quick"})
    other = msgspec.structs.replace(version, key="b/1")
    ModeCache(tmp_path).keep(version.key, quick)
    trials: Any = None  # nothing is tried
    modes = Modes("auto", {"moded": ModedRuntime()}, trials, ModeCache(tmp_path))
    for _ in range(2):
        assert await modes.untried(version, 0, "it is leaving") == quick
    assert await modes.of(version, 0) == quick
    assert (await modes.untried(said, 0, "it is leaving")).name == "quick"
    usual = await modes.untried(other, 0, "it is leaving")
    assert (usual.name, usual.reason) == ("usual", "no other is tried: it is leaving")
    assert await modes.of(other, 0) == usual
