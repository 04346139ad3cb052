"""A process that is killed, and does not die."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.engine.engines import engine, healed, upload_and_find
from tfaas_core.engine.in_parent.fork_servers.fork_server_process import ForkedProcess
from tfaas_core.testing.engine_harness import is_sum, rows_of
from tfaas_core.testing.forked import is_alive
from tfaas_core.testing.loops import in_event_loop

pytestmark = pytest.mark.usefixtures("no_model_process_stays")


@in_event_loop
async def test_the_engine_goes_on_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with engine(tmp_path, "server.request_timeout_s=1") as harness:
        version, process = await upload_and_find(harness.worker, "vk", "sum")
        # As one in a driver that hangs, which the kernel lets nobody end.
        monkeypatch.setattr(ForkedProcess, "kill", lambda _process: None)
        process.suspend()
        await healed(harness.worker, version)
        monkeypatch.undo()
        assert is_alive(process)
        assert "does not even die: going on without it" in caplog.text
        assert is_sum(await harness.worker.run(version, rows_of(1)), rows_of(1))
        process.kill()
