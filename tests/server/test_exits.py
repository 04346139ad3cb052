"""A plugin that calls exit() ends no HTTP worker, and is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.plugins.sources import InstallPlugin
from tfaas_core.testing.server import running_server
from tfaas_core.testing.waiting import until

DISABLED = (
    'plugins.disabled=["tfaas_backends.runtimes.graph", "tfaas_backends.runtimes.saved_model"]'
)
SOURCE = """
import asyncio, os, sys, threading
from tfaas_core.hookspecs import hookimpl
from tfaas_core.route import Response, Route

async def leave():
    sys.exit()

async def pid(request):
    return Response(b"%d" % os.getpid())

async def itself(request):
    sys.exit()

async def child(request):
    await asyncio.gather(leave())

async def stay(request):
    threading.Thread(target=threading.Event().wait).start()
    return Response(b"")

async def beside(request):
    asyncio.get_running_loop().call_soon(asyncio.create_task, leave())
    return Response(b"")

@hookimpl
def tfaas_register_routes():
    for handler in (pid, itself, child, beside, stay):
        yield Route(f"/{handler.__name__}", ("GET",), handler)
"""


def test_a_worker_outlives_exits_of_a_plugin(
    install_plugin: InstallPlugin, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin("tfaas-leaving", SOURCE)
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=":")
    with running_server(tmp_path, "server.workers=1", DISABLED) as server:
        before = server.http.get("/pid").text
        for path in ("/itself", "/child"):
            answer = server.http.get(path)
            assert (answer.status_code, answer.json()["plugin"]) == (500, "tfaas_leaving")
        assert server.http.get("/beside").status_code == 200
        until(lambda: "plugin tfaas_leaving calls exit beside" in server.log.read_text())
        assert server.http.get("/pid").text == before
        assert "plugin tfaas_leaving failed in GET /itself" in server.log.read_text()


def test_a_thread_that_a_plugin_leaves_behind_does_not_hold_a_stop(
    install_plugin: InstallPlugin, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin("tfaas-leaving", SOURCE)
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=":")
    with running_server(tmp_path, "server.workers=1", DISABLED) as server:
        assert server.http.get("/stay").status_code == 200
        assert server.stop() == 0
    assert "do not end" not in server.log.read_text()
