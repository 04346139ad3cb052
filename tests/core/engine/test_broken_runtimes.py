"""What a runtime raises that it must not names its plugin and the model, and is logged there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.core.engine.odd_runtime import FLAWS, OddRuntime
from tfaas_core.config import load_config
from tfaas_core.engine.base import EngineContext
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.errors import CannotServe, TfaasError
from tfaas_core.testing.engine_harness import RUNTIME, Harness, Shelf, is_sum, rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import TRIGGER


@asynccontextmanager
async def serving(
    folder: Path, isolation: str, plugin: Any = "tfaas_fake"
) -> AsyncIterator[Harness]:
    """Serves models of an OddRuntime, which comes from ``plugin``."""
    settings = [f"engine.isolation={isolation}", "server.log_format=json"]
    context = EngineContext(
        load_config(None, settings, environ={}),
        {RUNTIME: OddRuntime()},
        1,
        owners={RUNTIME: plugin},
    )
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
