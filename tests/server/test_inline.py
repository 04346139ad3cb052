"""TensorFlow in the HTTP workers themselves: a stop ends them cleanly, whatever they are doing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.ladder import ScaleGraph
from tfaas_core.testing.clients import Clients
from tfaas_core.testing.server import running_server
from tfaas_core.testing.tries import tries

TRIES = [f"{when} {number}" for number in range(tries(1)) for when in ("busy", "idle")]


@pytest.mark.parametrize("when", TRIES)
def test_a_stop_is_clean(tmp_path: Path, scale_graph: ScaleGraph, when: str) -> None:
    settings = ("server.workers=2", "engine.isolation=inline", "engine.sandbox=off")
    with running_server(tmp_path, *settings, "plugins.access_log.events=false") as server:
        assert server.upload("vk", scale_graph(2.0)).status_code == 200
        with Clients(server, "vk " * 4, right=(b"[2.0,4.0,6.0]",)) as clients:
            clients.wait_for(20)
            if when.startswith("busy"):
                assert server.stop() == 0
        if when.startswith("idle"):
            assert server.stop() == 0
        statuses = clients.statuses("vk")
        assert statuses.pop(200) >= 20
        assert set(statuses) <= {ConnectionRefusedError, ConnectionResetError}
    assert server.log.read_text() == ""
