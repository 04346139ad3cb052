"""Machines of a network of their own: namespaces of this one, joined by a bridge.

A namespace is there as long as a process in it, and nothing of it has a name outside. So nothing is
left of a network, however its tests end.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence

from tfaas_core.testing.waiting import until

NETWORK = "10.0.0.0/24"
HUB = "10.0.0.1"
"""Where this namespace is in the network."""

_BRIDGE = "hub"
_PROGRAMS = {
    "haproxy": "haproxy",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "tc": "iproute2",
    "unshare": "util-linux",
}
_PR_SET_PDEATHSIG = 1


def why_no_machines() -> str:
    """Why there can be none here; empty: there can."""
    for program, package in _PROGRAMS.items():
        if shutil.which(program) is None:
            return f"no {program}: apt-get install {package}"
    for kind in (["bridge"], ["veth", "peer", "name", "other"]):
        tried = ["unshare", "--net", "ip", "link", "add", _BRIDGE, "type", *kind]
        run = subprocess.run(tried, capture_output=True, text=True, check=False)
        if run.returncode:
            return f"no networks of one's own: {run.stderr.strip()}"
    return ""


def begin_network() -> None:
    """Makes the bridge, in the namespace of this process, which is to be a new one."""
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", _BRIDGE, "type", "bridge")
    _run("ip", "address", "add", f"{HUB}/24", "dev", _BRIDGE)
    _run("ip", "link", "set", _BRIDGE, "up")


def end_with_this_process() -> None:
    """For ``preexec_fn``: what is started ends, however this process does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Machine:
    """One with its own address, and a cable to the bridge, which can be pulled."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address
        self._cable = f"to-{name}"
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sleep", "infinity"], preexec_fn=end_with_this_process
        )
        until(self._is_apart, what=f"{name} has a network of its own")
        pid = str(self._holder.pid)
        end = ("type", "veth", "peer", "name", "eth0", "netns", pid)
        _run("ip", "link", "add", self._cable, *end)
        _run("ip", "link", "set", self._cable, "master", _BRIDGE, "up")
        _run(*self.command("ip", "address", "add", f"{address}/24", "dev", "eth0"))
        _run(*self.command("ip", "link", "set", "lo", "up"))
        _run(*self.command("ip", "link", "set", "eth0", "up"))

    def command(self, *command: str) -> list[str]:
        """What runs ``command`` there."""
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--", *command]

    def pull_cable(self) -> None:
        """Nothing comes or goes from now on, and nobody is told."""
        _run("ip", "link", "set", self._cable, "down")

    def plug_in(self) -> None:
        """As before."""
        _run("ip", "link", "set", self._cable, "up")

    def slow_down(self) -> str:
        """Gives its cable latency, or, if this kernel has no netem, little room; says which."""
        for what, shape in _SLOW.items():
            added = ("tc", "qdisc", "add", "dev", self._cable, "root", *shape)
            if subprocess.run(added, capture_output=True, check=False).returncode == 0:
                return what
        return ""

    def speed_up(self) -> None:
        """As before ``slow_down``."""
        _run("tc", "qdisc", "del", "dev", self._cable, "root")

    def close(self) -> None:
        """It is gone, with its cable."""
        self._holder.kill()
        self._holder.wait()

    def _is_apart(self) -> bool:
        assert self._holder.poll() is None, "unshare has failed"
        return os.readlink(f"/proc/{self._holder.pid}/ns/net") != os.readlink("/proc/self/ns/net")


_SLOW: dict[str, Sequence[str]] = {
    "40 ms of latency, by netem": ("netem", "delay", "40ms", "5ms"),
    "256 kbit/s, by tbf": ("tbf", "rate", "256kbit", "burst", "4k", "latency", "200ms"),
}


def _run(*command: str) -> None:
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{' '.join(command)}: {run.stderr}"
