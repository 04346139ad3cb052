"""A Redis server of a test's own, on a Unix socket."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from tfaas_core.testing.waiting import until


class RedisServer(msgspec.Struct, frozen=True):
    """``url`` is what clients take; ``process`` may be stopped and killed."""

    url: str
    process: subprocess.Popen[bytes]


def _listens(place: Path) -> bool:
    """Whether somebody takes connections there: the file comes before."""
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(place)) == 0


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """A new server, which is gone afterwards. Skips the test, but under CI, if there is none."""
    binary = shutil.which("redis-server") or shutil.which("valkey-server")
    if binary is None:
        assert os.environ.get("CI") != "true", "no redis-server, which CI must have"
        pytest.skip("no redis-server: apt-get install redis-server")
    with tempfile.TemporaryDirectory(prefix="tfaas-redis-") as folder:
        place = Path(folder) / "socket"
        options = ["--port", "0", "--unixsocket", str(place), "--save", "", "--dir", folder]
        process = subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL)
        try:
            until(lambda: _listens(place), what="Redis listens")
            yield RedisServer(f"unix://{place}", process)
        finally:
            process.kill()
            process.wait()
