"""What a runtime raises that it must not names its plugin and the model, and is logged there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.core.engine.odd_runtime import FLAWS, WANTS, OddRuntime
from tfaas_core.config import load_config
from tfaas_core.engine.base import EngineContext
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.errors import CannotServe, ModelLost, TfaasError, Unavailable
from tfaas_core.testing.engine_harness import RUNTIME, Harness, Shelf, is_sum, rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import TRIGGER
from tfaas_core.testing.waiting import eventually


@asynccontextmanager
async def serving(
    folder: Path, isolation: str, plugin: Any = "tfaas_fake", built_in: Sequence[str] = ()
) -> AsyncIterator[Harness]:
    """Serves models of an OddRuntime, which comes from ``plugin``."""
    settings = [f"engine.isolation={isolation}", "server.log_format=json"]
    context = EngineContext(
        load_config(None, settings, environ={}),
        {RUNTIME: OddRuntime()},
        1,
        owners={RUNTIME: plugin},
        built_in=built_in,
    )
    folder.mkdir(exist_ok=True)
    harness = Harness(LocalEngineFactory(), context, Shelf(folder))
    try:
        await harness.start()
        yield harness
    finally:
        await harness.close()


@pytest.mark.parametrize("isolation", ["model", "inline"])
@in_event_loop
async def test_load_and_run_name_plugin_and_model(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], isolation: str
) -> None:
    async with serving(tmp_path, isolation) as harness:
        with pytest.raises(CannotServe, match=r"plugin tfaas_fake failed in the load .*'vk'"):
            await harness.worker.upload("vk", "exit-on-load")
        version = await harness.worker.upload("vk", "exit")
        with pytest.raises(TfaasError, match=r"plugin tfaas_fake failed in a run .*'vk'") as caught:
            await harness.worker.run(version, rows_of(TRIGGER))
        assert caught.value.details == {"model": "vk", "plugin": "tfaas_fake"}
        assert "had enough" not in caught.value.message
    if isolation == "model":
        lines = [line for line in capfd.readouterr().err.splitlines() if "tfaas_fake" in line]
        assert len(lines) == 2
        assert all(line.startswith('{"time"') for line in lines)


ISOLATIONS = ["model", "shared", "inline"]


@pytest.mark.parametrize("isolation", ISOLATIONS)
@in_event_loop
async def test_what_a_servable_says_of_itself_is_checked_right_after_the_load(
    tmp_path: Path,
    isolation: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(tmp_path, isolation) as harness:
        worker = harness.worker
        other = await worker.upload("other", "add-up")
        assert is_sum(await worker.run(other, rows_of(1)), rows_of(1))
        for flaw, (_make, words) in FLAWS.items():
            said = f"plugin tfaas_fake failed in the load of model 'vk': .*{re.escape(words)}"
            with pytest.raises(CannotServe, match=said) as caught:
                await asyncio.wait_for(worker.prepare("vk", f"odd {flaw}"), 30)
            assert caught.value.details == {"model": "vk", "plugin": "tfaas_fake"}
        # The same process still has it, with all that it was sent.
        assert is_sum(await worker.run(other, rows_of(1)), rows_of(2))
    logged = caplog.text if isolation == "inline" else capfd.readouterr().err
    said = "the upload vk: the runtime of plugin tfaas_fake cannot load it"
    assert logged.count(said) == len(FLAWS)
    assert "callback" not in logged + caplog.text


@pytest.mark.parametrize("isolation", ISOLATIONS)
@in_event_loop
async def test_what_the_system_does_not_give_a_load_is_not_the_models_fault(
    tmp_path: Path, isolation: str
) -> None:
    async with serving(tmp_path, isolation) as harness:
        for what, (_make, words) in WANTS.items():
            with pytest.raises(Unavailable) as caught:
                await harness.worker.prepare("vk", f"want {what}")
            said = f"model 'vk' cannot be loaded at the moment: {words}; try again (the server's"
            assert caught.value.message.startswith(said)
        version = await harness.worker.upload("vk", "sum")
        assert is_sum(await harness.worker.run(version, rows_of(1)), rows_of(1))


@in_event_loop
async def test_a_proof_of_a_wrong_type_is_none_and_the_log_names_plugin_and_model(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path, "inline") as harness:
        version = await harness.worker.upload("vk", "unproven")
        assert not version.mergeable
        assert is_sum(await harness.worker.run(version, rows_of(1)), rows_of(1))
    (record,) = [record for record in caplog.records if "rows are independent" in record.message]
    assert record.message.startswith("the upload vk: the runtime of plugin tfaas_fake cannot prove")
    assert "proven of its independence is np.True_, it should be True or False" in caplog.text


@in_event_loop
async def test_an_order_that_cannot_be_sent_is_an_error_for_whoever_waits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path, "inline", plugin=5) as harness:
        with pytest.raises(TfaasError, match=r"failed to load model 'vk': TypeError: Load ") as got:
            await asyncio.wait_for(harness.worker.prepare("vk", "sum"), 30)
        assert got.value.status == 500
    assert "the upload vk cannot be loaded" in caplog.text


@pytest.mark.parametrize("isolation", ["model", "inline"])
@in_event_loop
async def test_a_runtimes_own_error_of_status_500_is_logged_once(
    tmp_path: Path,
    isolation: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(tmp_path, isolation) as harness:
        with pytest.raises(TfaasError, match="the lamp is broken") as loaded:
            await harness.worker.prepare("vk", "lamp-on-load")
        version = await harness.worker.upload("vk", "lamp")
        with pytest.raises(TfaasError, match="the lamp is broken") as run:
            await harness.worker.run(version, rows_of(TRIGGER))
    for error in (loaded.value, run.value):
        assert (error.status, error.is_logged) == (500, True)
        assert error.headers() == {"X-Lamp": "broken"}
    logged = caplog.text if isolation == "inline" else capfd.readouterr().err
    said = "the runtime of plugin tfaas_fake raises LampError of status 500 in"
    for line in (f"the upload vk: {said} the load", f"{version.key}: {said} a run"):
        assert logged.count(line) == 1, logged


@pytest.mark.parametrize("isolation", ["model", "shared"])
@in_event_loop
async def test_a_process_that_dies_names_the_plugin_too(
    tmp_path: Path, isolation: str, caplog: pytest.LogCaptureFixture
) -> None:
    vk = "model 'vk' (its runtime is of plugin tfaas_fake)"
    details = {"model": "vk", "plugin": "tfaas_fake"}
    # Each beside a new engine: what shares a process that dies is lost with it.
    async with serving(tmp_path / "load", isolation) as harness:
        with pytest.raises(CannotServe) as crashed:
            await harness.worker.prepare("vk", "abort-on-load")
    async with serving(tmp_path / "try", isolation) as harness:
        loaded = await harness.worker.prepare("vk", "abort")
        with pytest.raises(CannotServe) as refused:
            await harness.worker.run_prepared(loaded, rows_of(TRIGGER))
    async with serving(tmp_path / "run", isolation) as harness:
        version = await harness.worker.upload("vk", "abort")
        with pytest.raises(ModelLost) as lost:
            await harness.worker.run(version, rows_of(TRIGGER))
        await eventually(lambda: f"{version.key} (its" in caplog.text, "the death is logged")
    assert crashed.value.message.startswith(f"{vk} makes its process crash on loading: it was")
    assert refused.value.message == f"the process of {vk} died under this request"
    assert lost.value.message == f"the process of {vk} died under this request; try again"
    assert [error.value.details for error in (crashed, refused, lost)] == [details] * 3
    died = "(its runtime is of plugin tfaas_fake) died: it was killed by SIGABRT"
    assert f"the process of the upload vk {died}" in caplog.text
    assert f"the process of {version.key} {died}" in caplog.text


@in_event_loop
async def test_a_built_in_plugin_is_not_blamed_for_the_death_of_a_process(tmp_path: Path) -> None:
    async with serving(tmp_path, "model", built_in=["tfaas_fake"]) as harness:
        with pytest.raises(CannotServe, match=r"^model 'vk' makes its process") as crashed:
            await harness.worker.prepare("vk", "abort-on-load")
    assert crashed.value.details == {"model": "vk"}
