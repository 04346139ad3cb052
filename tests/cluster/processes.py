"""What runs on the machines of a cluster: hosts, servers, and HAProxy in front of those."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import httpx
import psutil

from tests.cluster.machines import HUB, Machine, end_with_this_process
from tests.plugin_site import environment_with, write_plugin
from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.testing.waiting import until

TOKEN = "a-token-of-the-whole-cluster"
TOKEN_PLACE = "TEST_TOKEN"
"""Where programs find the token that they are to have, in their environment."""
PORT = 8083
DOOR_PORT = 8090
WITHIN_S = 120.0

_PLUGIN = """
import os
from tfaas_core.engine.shared import hello
from tfaas_core.hookspecs import hookimpl
from tfaas_core.testing.runtime import FakeRuntime

hello.DOOR_VERSION += int(os.environ.get("TEST_NEWER_DOOR", "0"))

@hookimpl
def tfaas_register_runtimes():
    return {"fake": FakeRuntime()}
"""

_HAPROXY = Path(__file__).parents[2] / "deploy" / "haproxy.cfg"


class Program:
    """A command on a machine. ``log``: all errors that it tells of.

    ``says``: what is in the line that it prints once it is ready; ``code``: with what it ends at
    SIGTERM.
    """

    def __init__(
        self,
        machine: Machine,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str],
        says: str = "",
        code: int = 0,
    ) -> None:
        self.machine, self.log = machine, log
        self._says, self._code = says, code
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                machine.command(*command),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **environment},
                cwd=log.parent,
                preexec_fn=end_with_this_process,
            )
        out: IO[str] | None = self._process.stdout
        assert out is not None
        self._out = out

    def ready(self) -> None:
        """Returns when it has said its line."""
        has_said = any(self._says in line for line in iter(self._out.readline, ""))
        assert has_said, f"it did not start: {self.log.read_text()[-4000:]}"

    def terminate(self) -> None:
        """SIGTERM; returns once it has ended, in good order."""
        program = psutil.Process(self._process.pid)
        while program.name() == "unshare":
            (program,) = program.children()
        program.terminate()
        code = self._process.wait(WITHIN_S)
        assert code == self._code, f"it ended with {code}: {self.log.read_text()[-4000:]}"

    def kill(self) -> None:
        """SIGKILL of it, and of all that it has started: as if the power was cut."""
        with suppress(psutil.NoSuchProcess):
            first = psutil.Process(self._process.pid)
            for each in [first, *first.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
        self._process.wait(WITHIN_S)

    def close(self) -> None:
        """Whatever it does."""
        self.kill()
        self._out.close()


class Fleet:
    """Starts the programs of a cluster, in folders of their own below ``folder``."""

    def __init__(self, folder: Path, database: str, dead_after_s: float) -> None:
        self._folder, self._database, self._dead_after_s = folder, database, dead_after_s
        write_plugin(folder / "site", "fake-runtime", _PLUGIN)
        self.environment = {**environment_with(folder / "site"), TOKEN_PLACE: TOKEN}
        """Of all programs."""
        self._starts = 0

    def host(
        self, machine: Machine, environment: Mapping[str, str], before: Sequence[str] = ()
    ) -> Program:
        """``tfaas serve-engine``. ``before``: what runs the command, if not it itself."""
        listen = f"{machine.address}:{DOOR_PORT}"
        command = ["serve-engine", "--listen", listen]
        return self._serving(machine, command, (), environment, before)

    def front(self, machine: Machine, hosts: Sequence[Machine]) -> Program:
        """``tfaas serve`` whose models are on ``hosts``."""
        doors = json.dumps([f"{host.address}:{DOOR_PORT}" for host in hosts])
        remote = ("engine.kind=remote", f"engine.remote.hosts={doors}")
        return self.server(machine, *remote)

    def server(self, machine: Machine, *settings: str) -> Program:
        """``tfaas serve``."""
        serving = (
            f"server.host={machine.address}",
            f"server.port={PORT}",
            "server.workers=1",
            "server.open=true",
        )
        proxied = (f'server.proxies=["{HUB}"]', "server.drain_delay_s=3")
        return self._serving(machine, ["serve"], (*serving, *proxied, *settings))

    def haproxy(self, machines: Sequence[Machine]) -> subprocess.Popen[bytes]:
        """With its configuration of deploy/, in front of these; it listens at HUB."""
        file = self._folder / "haproxy.cfg"
        file.write_text(_placed(_HAPROXY.read_text(), [machine.address for machine in machines]))
        with (self._folder / "haproxy.log").open("ab") as log:
            return subprocess.Popen(
                ["haproxy", "-db", "-f", str(file)],
                stdout=log,
                stderr=log,
                preexec_fn=end_with_this_process,
            )

    def _serving(
        self,
        machine: Machine,
        command: Sequence[str],
        settings: Sequence[str],
        environment: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
    ) -> Program:
        folder = self._new_folder(machine)
        words = tfaas(command, (*self._settings(folder / "cache"), *settings))
        return self._begun(machine, [*before, *words], folder, environment or {})

    def _settings(self, cache: Path) -> tuple[str, ...]:
        """Of hosts and servers."""
        return (
            f"plugins.disabled={json.dumps(HEAVY_PLUGINS)}",
            "storage.kind=sql",
            f"storage.url={self._database}",
            f"storage.cache={cache}",
            f"engine.remote.token={{env = '{TOKEN_PLACE}'}}",
            f"engine.remote.dead_after_s={self._dead_after_s}",
            "engine.isolation=model",
        )

    def _begun(
        self,
        machine: Machine,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        says: str = "",
        code: int = 0,
    ) -> Program:
        variables = {**self.environment, **environment}
        return Program(machine, command, folder / "log", variables, says, code)

    def _new_folder(self, machine: Machine) -> Path:
        self._starts += 1
        folder = self._folder / f"{machine.name}-{self._starts}"
        folder.mkdir()
        return folder


def tfaas(command: Sequence[str], settings: Sequence[str]) -> list[str]:
    """The words of a command line with these settings."""
    options = [word for setting in settings for word in ("--set", setting)]
    return [sys.executable, "-m", "tfaas_core", *command, *options]


def upload(address: str, name: str) -> None:
    """Stores the model ``sum``, and returns once it is known to the server."""
    form = {"name": name}
    files = {"model": ("model.pb", b"sum")}
    answer = httpx.post(f"http://{address}/upload", data=form, files=files, timeout=WITHIN_S)
    assert answer.status_code == 200, answer.text


def until_ready(address: str) -> None:
    """Returns once requests may go there."""
    until(lambda: _is_ready(address), WITHIN_S, f"{address} is ready")


def models_by_host(address: str) -> dict[str, set[str]]:
    """Which models are loaded on which host, as a server tells."""
    try:
        status = httpx.get(f"http://{address}/status", timeout=10).json()
    except httpx.HTTPError:
        return {}
    found: dict[str, set[str]] = {}
    for model in status["models"]:
        if model["state"] == "ready":
            found.setdefault(model["host"].partition(":")[0], set()).add(model["model"])
    return found


def said(log: Path, what: str, from_byte: int = 0) -> bool:
    """Whether a log says it."""
    return re.search(what, log.read_bytes()[from_byte:].decode(errors="replace")) is not None


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/health/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _placed(text: str, addresses: Sequence[str]) -> str:
    """The configuration of deploy/, without TLS, and without the hosts that are none of these."""
    text, bound = re.subn(r"bind :8443 .*", f"bind {HUB}:{PORT}", text)
    assert bound == 1
    named = set(re.findall(r"server host\d (.*):8083", text))
    assert named >= set(addresses)
    for other in named - set(addresses):
        text = re.sub(rf"\n +server .*{other}:8083.*", "", text)
    return text
