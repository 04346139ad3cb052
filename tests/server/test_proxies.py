"""A server behind proxies: whose requests are whose, and who may do what."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.testing.server import RunningServer

LANES = pytest.mark.parametrize(
    "lane", [{}, {"Expect": "100-continue"}], ids=["express", "Sanic's"]
)
ALICE = {"X-Client-DN": "CN=alice,OU=People,O=Lab", "X-VOMS-FQAN": "/cms/Role=NULL"}
ROBOT = {"X-Client-DN": "CN=nightly,OU=Robots,O=Lab"}
TOKEN = {"Authorization": "Bearer of-bob"}
ROW = {"values": [1, 2, 3], "model": "top-1"}

CONFIG = """
[server]
workers = 1
proxies = ["127.0.0.1", "10.0.0.0/8"]
[engine]
isolation = "inline"
[plugins.access_log]
enabled = true
[plugins.rate_limit]
client = "4 per 300 days"
[plugins.token_guard.tokens]
bob = "of-bob"
[plugins.proxy_guard]
subject_header = "X-Client-DN"
fqan_header = "X-VOMS-FQAN"
[plugins.proxy_guard.rules]
robots = { subjects = ["CN=*,OU=Robots,O=Lab"], rights = ["upload", "read"] }
people = { fqans = ["/cms", "/cms/*"], rights = ["read", "predict"], models = ["top-*"] }
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("behind")
    (folder / "tfaas.toml").write_text(CONFIG)
    # What the environment tells Sanic must not matter.
    env = {"SANIC_PROXIES_COUNT": "1", "SANIC_REAL_IP_HEADER": "x-real-ip"}
    arguments = ["--config", str(folder / "tfaas.toml")]
    with fake_server(folder, arguments=arguments, env=env) as server:
        for name in ("vk", "top-1"):
            files = {"model": ("model.pb", b"sum")}
            answer = server.http.post("/upload", data={"name": name}, files=files, headers=ROBOT)
            assert answer.status_code == 200
        yield server


@pytest.fixture
def stranger(server: RunningServer) -> Iterator[httpx.Client]:
    """A client of this machine that is no proxy."""
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(base_url=server.url, transport=transport, timeout=60) as client:
        yield client


def logged(server: RunningServer) -> str:
    return server.log.read_text().splitlines()[-1].partition("tfaas.access")[2].partition(": ")[2]


@LANES
def test_rules_say_what_those_may_whom_a_proxy_names(
    server: RunningServer, lane: dict[str, str]
) -> None:
    via = {"X-Forwarded-For": f"198.51.100.{len(lane)}"} | lane
    answer = server.http.post("/json", json=ROW, headers=ALICE | via)
    assert answer.json() == [6.0]
    assert logged(server).startswith(
        f"198.51.100.{len(lane)} POST /json 200 as=CN=alice,OU=People,O=Lab"
    )
    assert (
        server.http.post("/json", json=ROW | {"model": "vk"}, headers=ALICE | via).status_code
        == 403
    )
    assert server.http.post("/json", json=ROW, headers=ROBOT | via).status_code == 403
    assert server.http.post("/json", json=ROW, headers=via).status_code == 401
    assert server.http.get("/nowhere", headers=via).status_code == 404
    assert logged(server).startswith(f"198.51.100.{len(lane)} GET /nowhere 404")


@LANES
def test_from_others_these_headers_are_nobodys(
    server: RunningServer, stranger: httpx.Client, lane: dict[str, str]
) -> None:
    said = ALICE | lane | {"X-Forwarded-For": "198.51.100.9", "X-Real-IP": "198.51.100.9"}
    refusal = stranger.post("/json", json=ROW, headers=said)
    assert refusal.status_code == 401
    assert logged(server).startswith("127.0.0.2 POST /json 401")
    # They are ignored, and harm nobody who has something better.
    assert stranger.get("/models", headers=said | TOKEN).status_code == 200
    assert logged(server).startswith("127.0.0.2 GET /models 200 as=bob")


def test_a_token_is_good_behind_a_proxy_too(server: RunningServer) -> None:
    via = {"X-Forwarded-For": "203.0.113.9, 198.51.100.77, 10.1.1.1"}
    assert server.http.get("/models", headers=TOKEN | via).status_code == 200
    assert logged(server).startswith("198.51.100.77 GET /models 200 as=bob")


@LANES
def test_limits_are_each_clients_own(server: RunningServer, lane: dict[str, str]) -> None:
    def statuses(last: int) -> list[int]:
        via = {"X-Forwarded-For": f"192.0.2.1, 198.51.100.{last + len(lane)}"}
        ask = [server.http.post("/json", json=ROW, headers=ALICE | via | lane) for _ in range(6)]
        return [answer.status_code for answer in ask]

    assert statuses(100) == [200] * 4 + [429] * 2
    assert statuses(110) == [200] * 4 + [429] * 2


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (['server.proxies=["proxy.example"]'], "Expected an address or a network"),
        (
            ['server.proxies=["10.0.0.1"]', "server.client_address_header=a b"],
            "Expected the name of a header, got `a b`",
        ),
        (
            ["plugins.proxy_guard.subject_header=X-DN"],
            "nobody is believed, since `server.proxies` names no proxy",
        ),
    ],
)
def test_what_is_wrong_is_found_by_check(
    settings: list[str], sentence: str, tmp_path: Path
) -> None:
    settings = [*settings, f"plugins.disabled={json.dumps(HEAVY_PLUGINS)}"]
    options = [word for setting in settings for word in ("--set", setting)]
    run = subprocess.run(
        [sys.executable, "-m", "tfaas_core", "check", *options],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    assert run.returncode == 1
    assert sentence in run.stderr
