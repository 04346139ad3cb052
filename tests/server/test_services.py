"""Services that plugins register, called over gRPC."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from tests.plugin_site import environment_with, write_plugin
from tests.server.grpc_calls import called, channel_to, refused
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.hosts import HEAVY_PLUGINS

PORT = "plugins.grpc.port=0"

WITHOUT = """
import sys
from tfaas_core.hookspecs import hookimpl

sys.modules["grpc_health"] = None  # as if it were not installed

@hookimpl
def tfaas_register_routes():
    return []
"""

ECHO = """
from tfaas_core.hookspecs import hookimpl
from tfaas_core.service import Method, Service

async def echo(call):
    if call.body == b"bug":
        raise KeyError("none")
    return call.body + b" within %d s" % (call.left_s or 0)

@hookimpl
def tfaas_register_services(host):
    methods = {"Say": Method(echo, right="read"), "Talk": Method(echo, streams=True)}
    yield Service("lab.Echo", methods)
"""


def test_a_plugin_adds_services_of_its_own(tmp_path: Path) -> None:
    write_plugin(tmp_path / "plugins", "tfaas-echo", ECHO)
    env = environment_with(tmp_path / "plugins")
    with fake_server(tmp_path / "server", PORT, env=env) as server, channel_to(server) as channel:
        assert called(channel, "/lab.Echo/Say", b"hello", timeout=30).startswith(b"hello within 2")
        error = refused(channel, "/lab.Echo/Say", b"bug")
        assert error.code() is grpc.StatusCode.INTERNAL
        assert error.details().startswith("plugin tfaas_echo failed in POST /lab.Echo/Say: KeyErr")
        talking = channel.stream_stream("/lab.Echo/Talk")(iter([b"a", b"b", b"bug", b"c"]))
        assert [next(talking)[:2] for _ in range(2)] == [b"a ", b"b "]
        with pytest.raises(grpc.RpcError, match="plugin tfaas_echo failed"):
            next(talking)


def test_without_the_libraries_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    write_plugin(tmp_path, "tfaas-without", WITHOUT)
    settings = (PORT, f"plugins.disabled={json.dumps(HEAVY_PLUGINS)}")
    options = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-m", "tfaas_core", "check", *options]
    env = os.environ | environment_with(tmp_path)
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert "gRPC needs libraries that are not installed" in done.stderr
    assert "install tfaas[grpc]" in done.stderr
