"""Two nodes of a Ray cluster on this machine: ``python nodes.py FOLDER``.

Prints their address, and waits: with each line on stdin it kills the second one, which is printed
then. At the end of stdin, both end.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from tfaas_backends.engines.ray.guardian import guard

STORE_BYTES = 80 * 2**20


def main() -> None:
    """Its whole life."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    room: dict[str, Any] = {"num_cpus": 1, "resources": {"room": 1}}
    few = {"object_store_memory": STORE_BYTES, "include_dashboard": False}
    cluster.add_node(include_log_monitor=False, **room, **few)
    second = cluster.add_node(**room, **few)
    print(cluster.address, flush=True)
    for _line in sys.stdin:
        cluster.remove_node(second, allow_graceful=False)
        print("killed", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "ray").mkdir()
    os.environ.update(
        RAY_AUTH_MODE="disabled",
        RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",
        RAY_TMPDIR=str(folder),
        RAY_USAGE_STATS_ENABLED="0",
    )
    guard(sys.stdin.fileno(), main)
