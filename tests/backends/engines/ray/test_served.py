"""What hosts serve, if one of them does not tell."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tfaas_backends.engines.ray.served import served_by

from tests.core.engine.hanging_host import hanging_host
from tfaas_core.config import load_config
from tfaas_core.plugins import load_plugins
from tfaas_core.testing.engine_harness import started
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.suites.engine.door import TOKEN, DoorFactory


@in_event_loop
async def test_a_host_that_hangs_hides_nothing_of_the_others(tmp_path: Path) -> None:
    settings = [f"engine.remote.token={TOKEN}", "engine.remote.dead_after_s=1"]
    config = load_plugins().configured(load_config(None, settings, {}))
    processes = ["engine.isolation=model"]
    async with started(hosts := DoorFactory(), tmp_path, processes) as harness:
        await harness.worker.upload("vk", "sum")
        address = hosts.made[0].address
        async with hanging_host() as hanging, asyncio.timeout(60):
            hangs = hanging.address
            # On a busy machine, the other one may take more than a second, too.
            while not (served := await served_by(config, [hangs, address])).models:
                pass
    assert [(each.model, each.host) for each in served.models] == [("vk/1", address)]
    assert f"host {hangs} (of Ray) is connected, and has not answered" in served.whys[hangs]
