"""``tfaas cluster``, of a cluster that is no good."""

from __future__ import annotations

import socket
import subprocess
import sys

from tests.backends.engines.ray.installed import needs_ray


@needs_ray
def test_a_cluster_that_hangs_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        address = "{}:{}".format(*hangs.getsockname())
        settings = ["engine.kind=ray", f"engine.ray.address={address}"]
        settings.append("engine.ray.start_limit_s=0.1")
        options = [word for setting in settings for word in ("--set", setting)]
        done = subprocess.run(
            [sys.executable, "-m", "tfaas_core", "cluster", "status", *options],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (done.returncode, done.stdout) == (1, "")
    limit = "0.1 s (engine.ray.start_limit_s)"
    assert done.stderr == f"tfaas: the Ray cluster {address} does not answer within {limit}\n"
