"""Faults for a cluster: each strikes, lets clients ask, and puts all right again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.chaos.wall_clock import WallClock
from tests.cluster.cluster import Cluster
from tests.cluster.processes import PORT, TOKEN_PLACE, WITHIN_S, said, until_ready
from tfaas_core.testing.waiting import until

Fault = Callable[[Cluster], str]
"""Returns what is to be told of it, if anything."""

_WRONG_S = 86_400


def kill_a_host(cluster: Cluster) -> str:
    """And start it again: it rejoins."""
    cluster.hosts["host0"].close()
    cluster.asked()
    _again(cluster, "host0")
    return ""


def pull_a_cable(cluster: Cluster) -> str:
    machine, marks = cluster.machines["host1"], _marks(cluster)
    machine.pull_cable()
    gone = f"host {machine.address}:\\d+ .* is gone"
    until(lambda: _all_say(gone, marks), WITHIN_S, "all servers take the host for gone")
    cluster.asked()
    machine.plug_in()
    cluster.until_back("host1")
    return ""


def sigterm_of_hosts(cluster: Cluster) -> str:
    for name in cluster.hosts:
        _stopped(cluster, name)
        _again(cluster, name)
    return ""


def sigterm_of_a_host(cluster: Cluster) -> str:
    _stopped(cluster, "host2")
    _again(cluster, "host2")
    return ""


def sigterm_of_servers(cluster: Cluster) -> str:
    for name in list(cluster.fronts):
        cluster.fronts[name].terminate()
        cluster.fronts[name].close()
        cluster.begin(name).ready()
        until_ready(f"{cluster.machines[name].address}:{PORT}")
        cluster.asked()
    return ""


def slow_link(cluster: Cluster) -> str:
    machine = cluster.machines["host0"]
    how = machine.slow_down()
    if not how:
        return "left out: this kernel shapes no traffic"
    try:
        cluster.asked()
    finally:
        machine.speed_up()
    cluster.asked()
    return how


def database_away(cluster: Cluster) -> str:
    """What is loaded answers on."""
    cluster.database.stop()
    cluster.asked()
    cluster.database.start()
    for gate in cluster.gates():
        until_ready(gate)
    return ""


def wrong_token(cluster: Cluster) -> str:
    _is_refused(cluster, "the tokens differ", {TOKEN_PLACE: "another-token-of-somebody"})
    return ""


def version_skew(cluster: Cluster) -> str:
    _is_refused(cluster, "install the same TFaaS", {"TEST_NEWER_DOOR": "1"})
    return ""


def clock_offset(cluster: Cluster) -> str:
    """A day off, by the wall clock and by the monotonic one."""
    _stopped(cluster, "host1")
    clock = WallClock(cluster.folder / f"clock-{len(list(cluster.folder.iterdir()))}")
    clock.set(-_WRONG_S)
    before = ["unshare", "--time", "--monotonic", str(_WRONG_S), "--fork", "--kill-child"]
    cluster.begin("host1", clock.environment, before).ready()
    cluster.until_back("host1")
    _stopped(cluster, "host1")
    _again(cluster, "host1")
    return ""


def cluster_restart(cluster: Cluster) -> str:
    """By ``tfaas cluster restart``."""
    assert cluster.ray is not None
    done = cluster.ray.command("restart")
    assert done.returncode == 0, done.stderr
    for name in cluster.hosts:
        cluster.until_back(name)
    return ""


def head_is_killed(cluster: Cluster) -> str:
    """And comes back, and then a node is lost."""
    until(lambda: len(_nodes(cluster)) == len(cluster.hosts), WITHIN_S, "the head tells of hosts")
    hosts = _nodes(cluster)
    cluster.heads["head0"].close()
    cluster.asked()
    cluster.begin("head0").ready()
    until(lambda: _nodes(cluster) == hosts, WITHIN_S, "the head knows the nodes and hosts again")
    return kill_a_host(cluster)


SHORT: dict[str, Fault] = {
    "a host is killed, and rejoins": kill_a_host,
    "a cable is pulled": pull_a_cable,
    "SIGTERM of a host": sigterm_of_a_host,
    "the database is away": database_away,
}

FAULTS: dict[str, Fault] = {
    **SHORT,
    "SIGTERM of each host in turn": sigterm_of_hosts,
    "SIGTERM of each server in turn": sigterm_of_servers,
    "a slow link": slow_link,
    "a host with another token": wrong_token,
    "a host with another TFaaS": version_skew,
    "a host whose clocks are wrong": clock_offset,
}

ON_RAY: dict[str, Fault] = {
    **FAULTS,
    "tfaas cluster restart": cluster_restart,
    "the head is killed, and comes back, and then a host": head_is_killed,
}

ALONE: dict[str, Fault] = {"SIGTERM of each server in turn, no hosts": sigterm_of_servers}
"""Where servers run models themselves."""


def _stopped(cluster: Cluster, name: str) -> None:
    cluster.hosts[name].terminate()
    cluster.hosts[name].close()
    cluster.asked()


def _again(cluster: Cluster, name: str) -> None:
    cluster.begin(name).ready()
    cluster.until_back(name)


def _is_refused(cluster: Cluster, why: str, environment: Mapping[str, str]) -> None:
    _stopped(cluster, "host2")
    marks = _marks(cluster)
    cluster.begin("host2", environment).ready()
    until(lambda: _all_say(why, marks), WITHIN_S, "all servers say why they are refused")
    cluster.asked()
    cluster.hosts["host2"].terminate()
    cluster.hosts["host2"].close()
    _again(cluster, "host2")


def _marks(cluster: Cluster) -> dict[Path, int]:
    return {each.log: each.log.stat().st_size for each in cluster.fronts.values()}


def _all_say(what: str, marks: dict[Path, int]) -> bool:
    """Whether each server has said it since its log was as long as ``marks`` tells."""
    return all(said(log, what, mark) for log, mark in marks.items())


def _nodes(cluster: Cluster) -> dict[str, str]:
    """The nodes of Ray that have a host, and where that listens; none while it cannot be asked."""
    assert cluster.ray is not None
    done = cluster.ray.command("status", "--json")
    told: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 else []
    return {each["node"]: each["host"] for each in told if each["alive"] and each["host"]}
