"""HAProxy and nginx, with the configurations of deploy/, in front of two real servers."""

from __future__ import annotations

import re
import ssl
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest

from tests.certificates import Authority
from tests.deploy.proxies import PLACES, needs_proxies, running
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

pytestmark = needs_proxies

NAMES = [f"m{number}" for number in range(32)]
ASKED = ("GET /models/{}", "POST /v1/models/{}:predict", "GET /v2/models/{}/ready")


class Hosts(NamedTuple):
    """Servers that share a storage, and the URL of each proxy in front of both."""

    folder: Path
    servers: list[RunningServer]
    logs: list[Path]
    urls: Mapping[str, str]
    trust: ssl.SSLContext

    def client(self, proxy: str) -> httpx.Client:
        return httpx.Client(base_url=self.urls[proxy], verify=self.trust, timeout=30)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    folder = tmp_path_factory.mktemp("proxies")
    authority = Authority(folder)
    pem = authority.signed("tfaas")
    with ExitStack() as stack:
        servers, logs = [], []
        for name in ("one", "two"):
            (folder / name).mkdir()
            logs.append(folder / name / "access.log")
            settings = (
                f"storage.root={folder / 'models'}",
                "server.workers=1",
                "server.drain_delay_s=2",
                'server.proxies=["127.0.0.1"]',
                "plugins.access_log.enabled=true",
                f"plugins.access_log.file={logs[-1]}",
            )
            servers.append(stack.enter_context(fake_server(folder / name, *settings)))
        addresses = [urlsplit(server.url).netloc for server in servers]
        places = dict(zip(PLACES, addresses, strict=False))
        urls = {
            name: stack.enter_context(running(folder, name, pem, places))
            for name in ("haproxy", "nginx")
        }
        yield Hosts(folder, servers, logs, urls, authority.client())


def askers(hosts: Hosts, proxy: str, asked: str) -> dict[str, set[int]]:
    """Which servers a proxy asks for which of NAMES, by their logs."""
    ids = f"{proxy}{ASKED.index(asked)}"
    with hosts.client(proxy) as client:
        for name in NAMES:
            method, path = asked.format(name).split()
            answer = client.request(method, path, headers={"X-Request-Id": f"{ids}-{name}"})
            assert answer.status_code in (200, 400, 404), answer.text

    def found() -> list[tuple[int, str]]:
        logs = enumerate(hosts.logs)
        return [(number, name) for number, log in logs for name in _named(log, ids)]

    until(lambda: len(found()) >= len(NAMES), what="all that was asked is in the logs")
    return {name: {number for number, each in found() if each == name} for name in NAMES}


def _named(log: Path, ids: str) -> list[str]:
    return re.findall(rf"\bid={ids}-(m\d+)$", log.read_text(), re.M)


@pytest.mark.parametrize("proxy", ["haproxy", "nginx"])
def test_each_model_has_one_server_however_it_is_named(hosts: Hosts, proxy: str) -> None:
    first, *others = (askers(hosts, proxy, asked) for asked in ASKED)
    assert all(each == first for each in others)
    assert all(len(servers) == 1 for servers in first.values())
    assert len(set.union(*first.values())) == 2


@pytest.mark.parametrize("proxy", ["haproxy", "nginx"])
def test_the_server_hears_of_the_client_and_not_of_what_he_says(hosts: Hosts, proxy: str) -> None:
    with hosts.client(proxy) as client:
        client.get("/models", headers={"X-Forwarded-For": "192.0.2.7", "X-Request-Id": proxy})

    def lines() -> list[str]:
        logs = "".join(log.read_text() for log in hosts.logs)
        return re.findall(rf"^.*\bid={proxy}$", logs, re.M)

    until(lambda: bool(lines()), what="it is in the log")
    assert all(" 127.0.0.1 GET /models 200" in line for line in lines())


@pytest.fixture(scope="module")
def names(hosts: Hosts) -> dict[str, str]:
    """A model for each proxy, that both servers have, and that the proxy asks the first one for."""
    return {proxy: name_at_the_first(hosts, proxy) for proxy in hosts.urls}


def name_at_the_first(hosts: Hosts, proxy: str) -> str:
    owners = askers(hosts, proxy, ASKED[0])
    name = next(name for name, servers in owners.items() if servers == {0})
    assert hosts.servers[0].upload(name, b"sum").status_code == 200
    until(lambda: name in hosts.servers[1].names(), what="the other server knows it, too")
    return name


def test_no_prediction_fails_while_a_server_stops(hosts: Hosts, names: Mapping[str, str]) -> None:
    got: Counter[tuple[str, object]] = Counter()
    ending = threading.Event()

    def ask(proxy: str) -> None:
        with hosts.client(proxy) as client:
            while not ending.is_set():
                try:
                    path = f"/models/{names[proxy]}/predict/json"
                    answer = client.post(path, json={"values": [1, 2, 3]})
                    got[proxy, answer.text if answer.is_success else answer.status_code] += 1
                except httpx.HTTPError as error:
                    got[proxy, repr(error)] += 1

    def wait_for(more: int) -> None:
        goals = {proxy: got[proxy, "[6.0]"] + more for proxy in names}
        until(lambda: all(got[proxy, "[6.0]"] >= goal for proxy, goal in goals.items()))

    threads = [threading.Thread(target=ask, args=(proxy,)) for proxy in [*names] * 2]
    for thread in threads:
        thread.start()
    try:
        wait_for(20)
        assert hosts.servers[0].stop() == 0
        wait_for(20)
    finally:
        ending.set()
        for thread in threads:
            thread.join()
    assert set(got) == {(proxy, "[6.0]") for proxy in names}


@pytest.mark.parametrize("proxy", ["haproxy", "nginx"])
def test_what_is_loaded_answers_while_no_server_can_read_its_models(
    hosts: Hosts, names: Mapping[str, str], proxy: str
) -> None:
    with hosts.client(proxy) as client, without_the_models(hosts):
        running = [server for server in hosts.servers if server.process.poll() is None]
        until(lambda: not any(map(is_ready, running)), what="no server is ready")
        if proxy == "haproxy":
            log = hosts.folder / "haproxy.log"
            until(lambda: "hosts has no server available" in log.read_text(), what="it is noticed")
        for _ in range(20):
            answer = client.post(f"/models/{names[proxy]}/predict/json", json={"values": [1, 2, 3]})
            assert answer.text == "[6.0]"
    until(lambda: all(map(is_ready, running)), what="all servers are ready")


@contextmanager
def without_the_models(hosts: Hosts) -> Iterator[None]:
    models, aside = hosts.folder / "models", hosts.folder / "aside"
    models.rename(aside)
    try:
        yield
    finally:
        aside.rename(models)


def is_ready(server: RunningServer) -> bool:
    return server.http.get("/health/ready").is_success
