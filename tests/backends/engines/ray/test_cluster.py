"""Servers whose models live on two nodes of a real Ray cluster, and what of it goes away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import psutil
import pytest

from tests.backends.engines.ray.installed import needs_ray
from tfaas_core.testing.clients import Clients, fake_server
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

pytestmark = needs_ray

MODELS = "abcdef"
ENVIRONMENT = {"RAY_AUTH_MODE": "disabled"}
WITHIN_S = 120.0


class Cluster(NamedTuple):
    """The nodes, a server, and what both are started with."""

    nodes: subprocess.Popen[str]
    settings: Sequence[str]
    env: dict[str, str]
    server: RunningServer

    def command(self, *words: str) -> str:
        """What ``tfaas cluster`` prints."""
        options = [word for setting in self.settings for word in ("--set", setting)]
        done = subprocess.run(
            [sys.executable, "-m", "tfaas_core", "cluster", *words, *options],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def homes(self) -> dict[str, str]:
        """The host of each model, as the server tells."""
        status = self.server.http.get("/status").json()
        return {each["model"].partition("/")[0]: each["host"] for each in status["models"]}

    def hosts_of(self, model: str) -> set[str]:
        """Where it is ready, as the server tells."""
        told = self.server.http.get("/status").json()["models"]
        own = [each for each in told if each["model"].partition("/")[0] == model]
        return {each["host"] for each in own if each["state"] == "ready"}

    def controllers(self) -> list[psutil.Process]:
        """The processes of controllers."""
        every = psutil.Process(self.nodes.pid).children(recursive=True)
        return [each for each in every if _is_called(each, "ray::Controller")]

    def kill_host(self, address: str) -> None:
        """The process that listens there."""
        (host,) = {
            found.pid
            for found in psutil.net_connections("tcp")
            if found.status == psutil.CONN_LISTEN
            and f"{found.laddr[0]}:{found.laddr[1]}" == address
        }
        psutil.Process(host or 0).kill()


def _is_called(process: psutil.Process, name: str) -> bool:
    try:
        return any(word.startswith(name) for word in process.cmdline()[:1])
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    path = os.pathsep.join([str(folder / "site"), *sys.path])
    env = {**os.environ, **ENVIRONMENT, "PYTHONPATH": path}
    # Sockets lie below it, and their paths may not be long.
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as short,
        (folder / "nodes.log").open("w") as log,
        subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("nodes.py")), short],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=env,
        ) as nodes,
    ):
        address = _line(nodes.stdout)
        settings = (
            "engine.kind=ray",
            f"engine.ray.address={address}",
            "engine.ray.port=0",
            "engine.ray.min_hosts=2",
            "engine.ray.max_hosts=2",
            "engine.ray.resource=room",
            "engine.ray.start_limit_s=120",
            "engine.remote.token=a-token-of-the-whole-cluster",
            "engine.remote.max_replicas=2",
            "engine.remote.rows_per_replica=6",
            "engine.remote.calm_s=5",
        )
        with fake_server(folder, *settings, env=ENVIRONMENT) as server:
            root = f"storage.root={folder / 'models'}"
            found = Cluster(nodes, (*settings, root), env, server)
            _upload_all(found)
            yield found


def _line(out: IO[str] | None) -> str:
    assert out is not None
    line = out.readline().strip()
    assert line, "the nodes have not started"
    return line


def _upload_all(cluster: Cluster) -> None:
    for name in MODELS:
        assert cluster.server.upload(name, b"sum").status_code == 200


def _nodes(cluster: Cluster) -> dict[str, list[str]]:
    """The models of each host, as ``tfaas cluster status`` tells."""
    told: list[dict[str, Any]] = json.loads(cluster.command("status", "--json"))
    return {each["host"]: each["models"] for each in told if each["host"]}


@pytest.fixture
def clients(cluster: Cluster) -> Iterator[Clients]:
    """They ask for all models, and get the right answers alone."""
    with Clients(cluster.server, " ".join(MODELS)) as clients:
        clients.wait_for(50)
        yield clients
        clients.wait_for(50)
    failed = {got: count for got, count in clients.got.items() if got[1] != 200}
    assert failed == {}


@pytest.mark.parametrize("program", ["gcs_server", "raylet"])
def test_what_kubernetes_asks_says_that_ray_is_well(cluster: Cluster, program: str) -> None:
    """By the probes of deploy/kubernetes/raycluster.yaml."""
    grpc = pytest.importorskip("grpc")
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    every = psutil.Process(cluster.nodes.pid).children(recursive=True)
    (found, *_) = [each for each in every if each.name() == program]
    told = []
    for listening in found.net_connections("tcp"):
        if listening.status == psutil.CONN_LISTEN:
            with grpc.insecure_channel(f"127.0.0.1:{listening.laddr[1]}") as channel:
                health = health_pb2_grpc.HealthStub(channel)
                with suppress(grpc.RpcError):
                    told.append(health.Check(health_pb2.HealthCheckRequest(), timeout=10).status)
    assert health_pb2.HealthCheckResponse.SERVING in told


def test_models_are_on_hosts_and_versions_change_without_a_failed_request(
    cluster: Cluster, clients: Clients
) -> None:
    server, name = cluster.server, MODELS[0]
    home = cluster.homes()[name]
    assert server.upload(name, b"sum").json()["version"] == 2
    label = server.http.put(f"/models/{name}/labels/canary", json={"version": 1})
    assert label.status_code == 200, label.text
    answer = server.http.post(f"/models/{name}/labels/canary/predict", json={"values": [1, 2, 3]})
    assert answer.json() == [6.0]
    assert server.http.post(f"/models/{name}/rollback").json()["version"] == 1
    until(lambda: cluster.homes()[name] == home)
    served = {model for models in _nodes(cluster).values() for model in models}
    assert {f"{each}/1" for each in MODELS} <= served
    assert "STATE" in cluster.command("status")


def test_the_controller_and_the_driver_are_lost_and_requests_go_on(
    cluster: Cluster, clients: Clients
) -> None:
    homes = cluster.homes()
    processes = cluster.server.http.get("/status").json()["processes"]
    (driver,) = [each["pid"] for each in processes if each["kind"] == "ray_driver"]
    for process in (*cluster.controllers(), psutil.Process(driver)):
        process.kill()
    clients.wait_for(100)
    until(lambda: bool(cluster.controllers()), WITHIN_S, "there is another controller")
    assert set(_nodes(cluster)) >= set(homes.values())
    assert cluster.homes() == homes


def test_a_model_that_many_ask_for_gets_a_second_host_and_loses_it_again(
    cluster: Cluster, clients: Clients
) -> None:
    server = cluster.server
    hot = {"model": b"sleep 0.02", "params": b'{"batch": {"merge": false}}'}
    assert server.upload("hot", **hot).status_code == 200
    (home,) = cluster.hosts_of("hot")
    with Clients(server, "hot " * 12) as asking:
        until(lambda: len(cluster.hosts_of("hot")) == 2, WITHIN_S, "two hosts have it")
        until(lambda: "hot/1 (2 hosts)" in cluster.command("status"), WITHIN_S, "two have it")
        assert server.upload("hot", **hot).json()["version"] == 2
        asking.wait_for(50)
        until(lambda: len(cluster.hosts_of("hot")) == 2, WITHIN_S, "so has the second version")
    assert set(asking.statuses("hot")) == {200}
    until(lambda: cluster.hosts_of("hot") == {home}, WITHIN_S, "one host has it")
    assert server.http.delete("/delete/hot").status_code == 200


def test_a_host_that_is_killed_is_started_anew_where_it_was(
    cluster: Cluster, clients: Clients
) -> None:
    homes = cluster.homes()
    gone = homes[MODELS[0]]
    cluster.kill_host(gone)
    clients.wait_for(100)
    until(lambda: cluster.homes() == homes, WITHIN_S, f"{gone} has its models back")


def test_hosts_are_started_anew_one_after_the_other(cluster: Cluster, clients: Clients) -> None:
    before = set(cluster.homes().values())
    cluster.command("restart")
    until(lambda: set(cluster.homes().values()).isdisjoint(before), WITHIN_S, "all have moved")


def test_what_a_killed_node_served_the_other_serves(cluster: Cluster, clients: Clients) -> None:
    assert cluster.nodes.stdin is not None
    cluster.nodes.stdin.write("kill\n")
    cluster.nodes.stdin.flush()
    assert _line(cluster.nodes.stdout) == "killed"
    clients.wait_for(100)
    until(lambda: len(set(cluster.homes().values())) == 1, WITHIN_S, "one host has all models")
