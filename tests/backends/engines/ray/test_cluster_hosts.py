"""A cluster whose controller of hosts has just ended; no Ray is started."""

from __future__ import annotations

import subprocess
import sys

from tests.backends.engines.ray.installed import needs_ray

_ASKS = """
from ray.exceptions import RaySystemError
from tfaas_backends.engines.ray import connection
from tfaas_backends.engines.ray.cluster_hosts import ClusterHosts
from tfaas_core.config import load_config
from tfaas_core.errors import StartupError

class Ended:
    # To look for the methods of an actor takes the actor.
    def __getattr__(self, name):
        raise RaySystemError("pages of tracebacks, " * 100)

connection.connect = connection.controller_if_any = lambda _table: Ended()
connection.disconnect = lambda: None

with ClusterHosts(load_config(None, ["engine.ray.address=10.0.0.1:6379"], {})) as hosts:
    for ask in (hosts.nodes, hosts.restart, hosts.stop):
        try:
            ask()
        except StartupError as error:
            print(error.message)
"""


@needs_ray
def test_it_is_told_in_a_sentence_that_it_cannot_be_asked() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ASKS], capture_output=True, text=True, check=True, timeout=120
    )
    told = done.stdout.splitlines()
    assert len(told) == 3
    for line in told:
        assert line.startswith("the controller of hosts cannot be asked: RaySystemError")
        assert line.endswith("; try again")
        assert len(line) < 300
