"""Loads that take long, crash, or are not needed any more."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from pathlib import Path

import pytest

from tests.core.engine.engines import WITHIN_S, engine, healed, upload_and_find
from tfaas_core.errors import CannotServe, ModelLost, Unavailable
from tfaas_core.testing.engine_harness import is_sum, rows_of
from tfaas_core.testing.forked import fork_servers, is_alive, kill_and_wait, model_processes
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually

pytestmark = pytest.mark.usefixtures("no_model_process_stays")


@in_event_loop
async def test_a_load_that_takes_too_long_is_refused_and_its_process_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(tmp_path) as harness:
        _version, first = await upload_and_find(harness.worker, "first", "sum")
        monkeypatch.setattr("tfaas_core.engine.in_parent.loader.LOAD_TIMEOUT_S", 1.0)
        loading = asyncio.create_task(harness.worker.prepare("vk", "hang-on-load"))
        await eventually(lambda: len(model_processes()) == 2, "the process has started")
        (process,) = set(model_processes()) - {first}
        with pytest.raises(CannotServe, match="did not load and warm up within 1 s"):
            await loading
        await eventually(lambda: not is_alive(process), "the process is gone")


@in_event_loop
async def test_an_upload_that_loads_for_ever_goes_with_its_worker(tmp_path: Path) -> None:
    async with engine(tmp_path, workers=2) as harness:
        other = await harness.start_worker(1)
        loading = asyncio.create_task(other.prepare("vk", "hang-on-load"))
        await eventually(lambda: len(model_processes()) == 1, "the process has started")
        await harness.stop_worker(1)
        await eventually(lambda: not model_processes(), "the process is gone")
        loading.cancel()


@pytest.mark.parametrize("isolation", ["model", "shared"])
@in_event_loop
async def test_made_up_values_that_run_for_ever_are_given_up(
    tmp_path: Path,
    isolation: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("tfaas_core.engine.in_parent.watch.WARM_UP_LIMIT_S", 0.5)
    async with engine(tmp_path, f"engine.isolation={isolation}") as harness:
        worker = harness.worker
        version, process = await upload_and_find(worker, "vk", "hang-on-zero")
        assert version.mergeable
        assert is_sum(await worker.run(version, rows_of(1, 2)), rows_of(1, 2))
        assert "the upload vk: made-up values run longer than 0.5 s" in caplog.text
        # They are not tried again with the same version.
        caplog.clear()
        kill_and_wait(process)
        await healed(worker, version)
        assert "made-up" not in caplog.text
        assert len(model_processes()) == 1


@in_event_loop
async def test_a_model_that_crashes_on_loading_cannot_be_served(tmp_path: Path) -> None:
    async with engine(tmp_path) as harness:
        worker = harness.worker
        for _turn in range(3):
            with pytest.raises(CannotServe, match="crash on loading: it was killed by SIGABRT"):
                await worker.upload("vk", "abort-on-load")
        stored = worker.store("other", "abort-on-load")
        errors = await worker.run_all(stored, [rows_of(1)] * 3)
        assert [type(error) for error in errors] == [CannotServe] * 3
        assert is_sum(await worker.run(await worker.upload("vk", "sum"), rows_of(1)), rows_of(1))


@in_event_loop
async def test_so_cannot_one_that_ends_its_process_as_if_all_were_well(tmp_path: Path) -> None:
    async with engine(tmp_path) as harness:
        with pytest.raises(CannotServe, match="crash on loading: it ended with exit code 0"):
            await harness.worker.upload("vk", "leave-on-load")


@in_event_loop
async def test_a_load_that_got_no_process_in_time_is_not_the_model_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(tmp_path) as harness:
        await harness.worker.upload("first", "sum")
        (server,) = fork_servers()
        server.suspend()
        monkeypatch.setattr("tfaas_core.engine.in_parent.loader.LOAD_TIMEOUT_S", 0.5)
        with pytest.raises(Unavailable, match="no process for model 'vk' could be started"):
            await harness.worker.prepare("vk", "sum")
        server.resume()


@pytest.mark.parametrize("isolation", ["shared", "inline"])
@in_event_loop
async def test_a_load_that_hangs_does_not_hold_up_the_next(tmp_path: Path, isolation: str) -> None:
    async with engine(tmp_path, f"engine.isolation={isolation}") as harness:
        hanging = asyncio.create_task(harness.worker.prepare("vk", "hang-on-load"))
        await asyncio.sleep(0)
        version = await asyncio.wait_for(harness.worker.upload("next", "sum"), WITHIN_S)
        assert is_sum(await harness.worker.run(version, rows_of(1)), rows_of(1))
        hanging.cancel()


@in_event_loop
async def test_many_models_that_crash_on_loading_at_once_are_told_apart(tmp_path: Path) -> None:
    words = ["abort-on-load", "sum", "abort-on-load", "nonsense"] * 5
    async with engine(tmp_path) as harness:
        loads = [harness.worker.prepare(f"m{i}", word) for i, word in enumerate(words)]
        outcomes = await asyncio.gather(*loads, return_exceptions=True)
        for word, outcome in zip(words, outcomes, strict=True):
            assert isinstance(outcome, CannotServe) is (word != "sum")
            assert ("SIGABRT" in str(outcome)) is (word == "abort-on-load")


@in_event_loop
async def test_an_upload_whose_process_is_killed_may_be_tried_again(tmp_path: Path) -> None:
    async with engine(tmp_path) as harness:
        loading = asyncio.create_task(harness.worker.prepare("vk", "hang-on-load"))
        await eventually(lambda: len(model_processes()) == 1, "the process has started")
        model_processes()[0].kill()
        with pytest.raises(ModelLost, match="try again"):
            await loading


@in_event_loop
async def test_so_may_one_whose_process_is_killed_before_its_examples_are_run(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path) as harness:
        loaded = await harness.worker.prepare("vk", "sum")
        (process,) = model_processes()
        process.kill()
        with pytest.raises(ModelLost, match="try again"):
            await harness.worker.run_prepared(loaded, rows_of(1))


@in_event_loop
async def test_a_model_that_dies_between_upload_and_adoption_is_loaded_again(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path) as harness:
        worker = harness.worker
        path = harness.shelf.stage("sum")
        loaded = await worker.prepare("vk", "sum")
        (process,) = model_processes()
        kill_and_wait(process)
        version = harness.shelf.commit("vk", path, loaded)
        await worker.engine.adopt(loaded.ticket, version)
        await healed(worker, version)


@in_event_loop
async def test_a_request_does_not_wait_for_ever_for_its_model_to_load(tmp_path: Path) -> None:
    async with engine(tmp_path, "server.request_timeout_s=0.1") as harness:
        version = harness.worker.store("vk", "hang-on-load")
        for error in await harness.worker.run_all(version, [rows_of(1)] * 3):
            assert type(error) is Unavailable
            assert "still loading" in error.message


@in_event_loop
async def test_room_is_made_before_a_model_is_loaded(tmp_path: Path) -> None:
    async with engine(tmp_path, "engine.max_loaded_models=2") as harness:
        _version, oldest = await upload_and_find(harness.worker, "a", "sum")
        _version, newest = await upload_and_find(harness.worker, "b", "sum")
        loading = asyncio.create_task(harness.worker.prepare("c", "hang-on-load"))
        await eventually(lambda: not is_alive(oldest), "the oldest is gone")
        await eventually(lambda: len(model_processes()) == 2, "the new one is being loaded")
        assert is_alive(newest)
    loading.cancel()


@in_event_loop
async def test_closing_ends_a_process_that_is_still_loading(tmp_path: Path) -> None:
    async with engine(tmp_path) as harness:
        loading = asyncio.create_task(harness.worker.prepare("vk", "hang-on-load"))
        await eventually(lambda: len(model_processes()) == 1, "the process has started")
    loading.cancel()
    await eventually(lambda: not model_processes(), "the process is gone")


@pytest.mark.parametrize("turns", range(5))
@in_event_loop
async def test_a_question_that_the_end_overtakes_leaves_nothing_unawaited(
    tmp_path: Path, turns: int
) -> None:
    async with engine(tmp_path) as harness:
        loading = asyncio.create_task(harness.worker.prepare("vk", "sum"))
        for _turn in range(turns):
            await asyncio.sleep(0)
    with suppress(asyncio.CancelledError, Unavailable):
        loading.cancel()
        await loading
    gc.collect()
