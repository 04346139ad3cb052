"""RayFleet: a Ray cluster on the machines, which starts the hosts."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.machines import HUB, Machine, end_with_this_process
from tests.cluster.processes import Fleet, Program, tfaas

_STORE_BYTES = 80 * 2**20
_PORT, _CLIENTS_PORT, _REDIS_PORT = 6379, 10001, 6380
_ROOM = "models"
_IS_UP = "Ray runtime started."
_FILES = Path("/mnt")
"""Where a machine sees Ray's: sockets are among them, whose paths may not be long."""

_APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
"""As if a machine had its own files and processes: nothing is left of one that is killed."""


def why_no_ray() -> str:
    """Why there can be no such fleet here; empty: there can."""
    if importlib.util.find_spec("ray") is None:
        return "no ray: pip install 'tfaas[ray]'"
    if shutil.which("redis-server") is None:
        return "no redis-server: apt-get install redis-server"
    return ""


class RayFleet(Fleet):
    """Its hosts are nodes of Ray, and servers speak with the head, as clients of it."""

    def __init__(self, folder: Path, database: str, dead_after_s: float) -> None:
        super().__init__(folder, database, dead_after_s)
        self._head = ""
        self._cache = folder / "cache"
        self._cache.mkdir()
        self.environment |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}

    @contextmanager
    def redis(self) -> Iterator[None]:
        """Behind the head, in the block: what the head knows outlives it."""
        command = ["redis-server", "--bind", HUB, "--port", str(_REDIS_PORT)]
        options = ["--save", "", "--protected-mode", "no", "--dir", str(self._folder)]
        with (
            (self._folder / "redis.log").open("wb") as log,
            subprocess.Popen(
                [*command, *options], stdout=log, preexec_fn=end_with_this_process
            ) as redis,
        ):
            try:
                yield
            finally:
                redis.kill()

    def head(self, machine: Machine) -> Program:
        """The node that knows all others, and runs no models."""
        self._head = machine.address
        system = {"enable_worker_prestart": False}
        options = (
            *("--head", f"--port={_PORT}", "--num-cpus=0", "--include-dashboard=false"),
            f"--system-config={json.dumps(system)}",
        )
        return self._node(machine, options, {"RAY_REDIS_ADDRESS": f"{HUB}:{_REDIS_PORT}"})

    def host(
        self, machine: Machine, environment: Mapping[str, str], before: Sequence[str] = ()
    ) -> Program:
        """A node that is to have a host."""
        options = (
            *(f"--address={self._head}:{_PORT}", "--num-cpus=1"),
            f"--resources={json.dumps({_ROOM: 1})}",
        )
        return self._node(machine, options, environment, before)

    def front(self, machine: Machine, hosts: Sequence[Machine]) -> Program:
        return self.server(machine, *self._engine(), f"storage.cache={self._cache}")

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """``tfaas cluster``."""
        settings = (*self._settings(self._cache), *self._engine())
        return subprocess.run(
            tfaas(["cluster", *words], settings),
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | self.environment,
        )

    def _engine(self) -> Sequence[str]:
        return (
            "engine.kind=ray",
            f"engine.ray.address=ray://{self._head}:{_CLIENTS_PORT}",
            f"engine.ray.resource={_ROOM}",
            "engine.ray.start_limit_s=120",
        )

    def _node(
        self,
        machine: Machine,
        options: Sequence[str],
        environment: Mapping[str, str],
        before: Sequence[str] = (),
    ) -> Program:
        folder = self._new_folder(machine)
        own = {self._cache: folder / "cache", _FILES: folder / "ray"}
        for each in own.values():
            each.mkdir()
        mounts = [f"mount --bind {source} {place}" for place, source in own.items()]
        every = (
            *(f"--node-ip-address={machine.address}", f"--object-store-memory={_STORE_BYTES}"),
            *("--disable-usage-stats", "--block"),
        )
        start = [str(Path(sys.executable).with_name("ray")), "start", *options, *every]
        inside = ["sh", "-c", " && ".join([*mounts, 'exec "$@"']), "sh", *start]
        variables = {"RAY_TMPDIR": str(_FILES), **environment}
        return self._begun(machine, [*before, *_APART, *inside], folder, variables, _IS_UP, 1)
