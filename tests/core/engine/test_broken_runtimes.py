"""What a runtime raises that it must not names its plugin and the model, and is logged there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfaas_core.config import load_config
from tfaas_core.engine.base import EngineContext
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.errors import CannotServe, TfaasError
from tfaas_core.testing.engine_harness import RUNTIME, Harness, Shelf, rows_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import TRIGGER, FakeRuntime


@pytest.mark.parametrize("isolation", ["model", "inline"])
@in_event_loop
async def test_load_and_run_name_plugin_and_model(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], isolation: str
) -> None:
    config = load_config(
        None, [f"engine.isolation={isolation}", "server.log_format=json"], environ={}
    )
    owners = {RUNTIME: "tfaas_fake"}
    context = EngineContext(config, {RUNTIME: FakeRuntime()}, 1, owners=owners)
    harness = Harness(LocalEngineFactory(), context, Shelf(tmp_path))
    try:
        await harness.start()
        with pytest.raises(CannotServe, match=r"plugin tfaas_fake failed in the load .*'vk'"):
            await harness.worker.upload("vk", "exit-on-load")
        version = await harness.worker.upload("vk", "exit")
        with pytest.raises(TfaasError, match=r"plugin tfaas_fake failed in a run .*'vk'") as caught:
            await harness.worker.run(version, rows_of(TRIGGER))
        assert caught.value.details == {"model": "vk", "plugin": "tfaas_fake"}
        assert "had enough" not in caught.value.message
    finally:
        await harness.close()
    if isolation == "model":
        lines = [line for line in capfd.readouterr().err.splitlines() if "tfaas_fake" in line]
        assert len(lines) == 2
        assert all(line.startswith('{"time"') for line in lines)
