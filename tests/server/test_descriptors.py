"""The parent goes on without a file descriptor to spare."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.forked import kill_and_wait
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until


@contextmanager
def no_more_files(process: psutil.Process) -> Iterator[None]:
    """It may open none in the block."""
    soft, hard = process.rlimit(psutil.RLIMIT_NOFILE)
    taken = {int(path.name) for path in Path(f"/proc/{process.pid}/fd").iterdir()}
    lowest = next(number for number in range(soft) if number not in taken)
    process.rlimit(psutil.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        process.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))


def is_whole(server: RunningServer) -> bool:
    return server.predict(model="one", values=[1, 2, 3]).status_code == 200


def test_a_parent_without_descriptors_replaces_workers_and_says_try_again(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.workers=2") as server:
        assert server.upload("one", b"sum").status_code == 200
        with no_more_files(server.parent):
            refused = server.upload("two", b"sum")
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            assert "Too many open files; try again" in refused.json()["error"]
            killed = server.workers()[0]
            kill_and_wait(killed)
            until(lambda: killed not in server.workers() and len(server.workers()) == 2)
        until(lambda: is_whole(server))
        assert server.upload("two", b"sum").status_code == 200
        lost = server.model_processes()
        for process in lost:
            kill_and_wait(process)
        until(lambda: is_whole(server))
