"""``tfaas serve`` as a user runs it: in a terminal, whose Ctrl-C reaches every process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

_STOPS_WITHIN_S = 60


@pytest.fixture
def server(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tfaas_core", "serve", "--set", "server.workers=1"]
    with subprocess.Popen(
        [*command, "--set", "server.port=0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        yield process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_serve_answers_until_it_is_stopped(
    server: subprocess.Popen[str], stop: signal.Signals
) -> None:
    assert server.stdout is not None
    url = server.stdout.readline().split()[-1]
    with urllib.request.urlopen(f"{url}/models", timeout=_STOPS_WITHIN_S) as response:
        assert response.read().strip() == b"[]"
    os.killpg(server.pid, stop)
    _, errors = server.communicate(timeout=_STOPS_WITHIN_S)
    assert server.returncode == 0
    assert "Traceback" not in errors


def test_serve_fails_in_one_line_where_the_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = subprocess.run(
            [sys.executable, "-m", "tfaas_core", "serve", "--set", f"server.port={port}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=_STOPS_WITHIN_S,
        )
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith(f"tfaas: cannot listen on 127.0.0.1:{port}")
    assert run.stderr.count("\n") == 1
