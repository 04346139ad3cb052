"""A server on one machine, with a Ray of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path

import psutil
from tfaas_backends.engines.ray.local_ray import LONGEST_FOLDER

from tests.backends.engines.ray.installed import needs_ray
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.forked import is_alive
from tfaas_core.testing.waiting import until

LOOPBACK = {"127.0.0.1", "::ffff:127.0.0.1"}


@needs_ray
def test_it_is_reached_from_this_machine_alone_and_ends_with_a_server_that_is_killed(
    tmp_path: Path,
) -> None:
    # Sockets lie below it, and their paths may not be long.
    with tempfile.TemporaryDirectory(prefix="", dir="/tmp") as short:
        settings = ("engine.kind=ray", "engine.ray.start_limit_s=120")
        with fake_server(tmp_path, *settings, env={"TMPDIR": short}) as server:
            assert server.upload("vk", b"sum").status_code == 200
            assert server.predict(model="vk", values=[1, 2, 3]).json() == [6.0]
            processes = server.parent.children(recursive=True)
            assert {each.name() for each in processes} >= {"raylet", "gcs_server"}
            assert {address for each in processes for address in _listening(each)} <= LOOPBACK
            (folder,) = Path(short).glob("tfaas-ray-*")
            assert folder.stat().st_mode & 0o077 == 0
            sockets = [len(str(each)) for each in folder.glob("r/session_2*/sockets/*")]
            digits = len(str(2**22)) - len(folder.name.split("-")[2])  # of a process id, twice
            assert max(sockets) - len(short) + LONGEST_FOLDER + 2 * digits <= 107
            server.process.kill()
            until(lambda: not any(map(is_alive, processes)), 60, "all have ended")
            assert list(Path(short).glob("tfaas-ray-*")) == []
            assert "SIGTERM handler" not in server.log.read_text(), "Ray's own warnings"


def _listening(process: psutil.Process) -> set[str]:
    try:
        found = process.net_connections("tcp")
    except psutil.NoSuchProcess:
        return set()
    return {each.laddr.ip for each in found if each.laddr and each.status == psutil.CONN_LISTEN}
