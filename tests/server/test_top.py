"""`tfaas top` beside a real server, in a real terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.waiting import until

INLINE = ("server.workers=1", "engine.isolation=inline")
WITHOUT_RICH = """
import sys
sys.modules["rich"] = None
from tfaas_core.cli import main
sys.exit(main(["top", "--once"]))
"""


class Screen:
    """What a program has written to its terminal."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._written = b""
        os.set_blocking(terminal, False)

    def shows(self, text: str) -> bool:
        try:
            while piece := os.read(self._terminal, 1 << 16):
                self._written += piece
        except OSError:  # nothing more, now or ever
            pass
        return text.encode() in self._written


@contextmanager
def top(url: str) -> Iterator[tuple[subprocess.Popen[bytes], Screen]]:
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "tfaas_core", "top", "--url", url, "--interval", "0.2"]
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=env)
    os.close(its)
    try:
        yield process, Screen(ours)
    finally:
        process.kill()
        process.wait(60)
        os.close(ours)


def test_once_prints_how_it_is(tmp_path: Path) -> None:
    with fake_server(tmp_path, *INLINE) as server:
        server.upload("vk", b"sum")
        assert server.predict(model="vk", values=[1, 2, 3]).status_code == 200
        command = [sys.executable, "-m", "tfaas_core", "top", "--once", "--url", server.url]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        assert run.stdout.startswith("TFaaS ")
        (line,) = [line for line in run.stdout.splitlines() if line.startswith("vk/1 ")]
        assert line.split()[1] == "ready"
        assert run.stderr == ""


def test_it_follows_the_server_tells_that_it_is_gone_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    with fake_server(tmp_path, *INLINE) as server, top(server.url) as (process, screen):
        until(lambda: screen.shows("No model was asked"))
        server.upload("vk", b"sum")
        until(lambda: screen.shows("vk/1"))
        server.stop()
        until(lambda: screen.shows("cannot be reached"))
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_without_its_library_it_says_how_to_get_it() -> None:
    command = [sys.executable, "-c", WITHOUT_RICH]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "pip install 'tfaas[top]'" in run.stderr
