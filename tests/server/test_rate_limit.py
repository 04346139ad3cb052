"""The rate limit, as clients and operators see it: it holds for all HTTP workers together."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.redis_server import running_redis
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.forked import kill_and_wait
from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

TOKENS = 'plugins.token_guard.tokens={ alice = "of-alice", bob = "of-bob" }'
ALICE, BOB = {"Authorization": "Bearer of-alice"}, {"Authorization": "Bearer of-bob"}
LANES: list[dict[str, str]] = [{}, {"Expect": "100-continue"}]


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Windows that are so long that none ends during a test."""
    folder = tmp_path_factory.mktemp("limited")
    settings = (
        "plugins.rate_limit.client=60 per 300 days",
        "plugins.rate_limit.identity=20 per 300 days",
        'plugins.rate_limit.model=["1000/second", "30 per 300 days"]',
        "plugins.rate_limit.upload=3 per 300 days",
    )
    with fake_server(folder, TOKENS, *settings) as server:
        assert [upload(server, name) for name in ("a", "b")] == [200, 200]
        yield server


def upload(server: RunningServer, name: str) -> int:
    files = {"model": ("model.pb", b"sum")}
    return server.http.post("/upload", data={"name": name}, files=files, headers=ALICE).status_code


def statuses(server: RunningServer, path: str, times: int, headers: dict[str, str]) -> Counter[int]:
    """What so many requests get, each on a connection of its own: any worker may take it."""
    address = urlsplit(server.url).netloc

    def ask(_number: int) -> int:
        with closing(HTTPConnection(address, timeout=60)) as connection:
            connection.request("POST", path, json.dumps({"values": [1, 2, 3]}), headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status

    with ThreadPoolExecutor(8) as threads:
        return Counter(threads.map(ask, range(times)))


def test_what_only_lists_is_no_prediction(limited: RunningServer) -> None:
    assert statuses(limited, "/v2/repository/index", 70, ALICE) == {200: 70}


def test_limits_hold_for_all_workers_and_both_lanes_together(limited: RunningServer) -> None:
    assert len(limited.workers()) == 2
    found: Counter[int] = Counter()
    for lane in LANES:
        found += statuses(limited, "/models/a/predict/json", 20, ALICE | lane)
    assert found == {200: 20, 429: 20}, "of the identity"
    assert statuses(limited, "/models/a/predict/json", 15, BOB) == {200: 10, 429: 5}, "of the model"
    assert statuses(limited, "/models/b/predict/json", 10, BOB)[429] == 5, "of the address"

    answer = limited.http.post("/models/b/predict/json", json={"values": [1, 2, 3]}, headers=BOB)
    assert answer.status_code == 429
    wait_s = int(answer.headers["retry-after"])
    assert 1 <= wait_s <= 600 * 24 * 3600 + 1
    assert answer.json() == {
        "error": f"more than 60 requests from this address per 300 days; ask again in {wait_s} s",
        "status": 429,
        "code": "too_many_requests",
        "limit": "client",
    }
    assert answer.headers["ratelimit-policy"] == '"client";q=60;w=25920000'

    # Nor may anybody go on guessing tokens.
    assert statuses(limited, "/json", 3, {"Authorization": "Bearer guess"}) == {429: 3}

    # Nobody is kept from looking, and from what an operator does.
    assert limited.http.post("/models/a/rollback", headers=ALICE).status_code != 429
    for path in ("/models", "/status", "/models/a"):
        assert limited.http.get(path, headers=ALICE).status_code == 200
    assert limited.http.delete("/delete/b", headers=ALICE).status_code == 200


def test_uploads_are_refused_before_they_are_sent(limited: RunningServer) -> None:
    assert [upload(limited, "c") for _ in range(2)] == [200, 429]
    url = limited.http.base_url
    with closing(HTTPConnection(url.host, url.port)) as connection:
        connection.putrequest("POST", "/bundle?name=x")
        connection.putheader("Content-Length", str(1 << 30))
        connection.putheader("Authorization", "Bearer of-alice")
        connection.endheaders(bytes(1000))
        assert connection.getresponse().status == 429


def test_a_worker_that_is_replaced_goes_on_counting(tmp_path: Path) -> None:
    with fake_server(tmp_path, "plugins.rate_limit.client=10 per 300 days") as server:
        server.upload("a", b"sum")
        assert statuses(server, "/json", 6, {}) == {200: 6}
        old = server.workers()
        for worker in old:
            kill_and_wait(worker)
        gone = {worker.pid for worker in old}
        until(lambda: len({worker.pid for worker in server.workers()} - gone) == 2)
        assert statuses(server, "/json", 8, {}) == {200: 4, 429: 4}


def test_servers_that_share_a_redis_count_together(tmp_path: Path) -> None:
    with running_redis() as redis:
        settings = (
            f"plugins.rate_limit.storage={redis.url}",
            "plugins.rate_limit.client=10/day",
            "plugins.rate_limit.model=1000/day",
        )
        with (
            fake_server(tmp_path / "one", *settings) as one,
            fake_server(tmp_path / "other", *settings) as other,
        ):
            for server in (one, other):
                server.upload("a", b"sum")
            assert statuses(one, "/json", 6, {}) == {200: 6}
            assert statuses(other, "/json", 6, {}) == {200: 4, 429: 2}
            redis.process.kill()
            redis.process.wait()
            assert statuses(other, "/json", 6, {}) == {200: 6}
            assert "all are let in without limits" in other.log.read_text()


def check(folder: Path, *settings: str, python: Sequence[str] = ("-m", "tfaas_core")) -> str:
    """What ``tfaas check`` says of these settings, which are wrong."""
    given = [f"plugins.disabled={json.dumps(HEAVY_PLUGINS)}", *settings]
    options = [word for setting in given for word in ("--set", setting)]
    command = [sys.executable, *python, "check", *options]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder)
    assert run.returncode == 1
    return run.stderr


def test_what_is_no_limit_or_no_url_is_a_start_up_error(tmp_path: Path) -> None:
    wrong = 'plugins.rate_limit.model=["1/second", "often"]'
    assert check(tmp_path, wrong) == (
        'tfaas: \'often\' is no limit; write it like "100/minute", "5 per 10 seconds" or '
        '"100-S" - at `$.plugins.rate_limit.model`\n'
    )
    storage = "plugins.rate_limit.storage=http://somewhere"
    assert "this is no URL of Redis or Valkey" in check(
        tmp_path, "plugins.rate_limit.client=1-S", storage
    )
    assert "Expected `str | array`" in check(tmp_path, "plugins.rate_limit.client=7")


@pytest.mark.parametrize(
    ("package", "settings"),
    [("limits", []), ("redis", ["plugins.rate_limit.storage=redis://localhost:6379"])],
)
def test_a_missing_package_is_a_start_up_error(
    tmp_path: Path, package: str, settings: list[str]
) -> None:
    without = (
        f"import sys; sys.modules[{package!r}] = None; "
        "from tfaas_core.cli import main; sys.exit(main())"
    )
    said = check(tmp_path, "plugins.rate_limit.client=1/second", *settings, python=("-c", without))
    assert said == (
        f"tfaas: the limits need the package {package}, which is not installed; "
        "pip install 'tfaas[rate-limit]' - at `$.plugins.rate_limit`\n"
    )


def test_without_limits_the_library_is_not_even_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from tfaas_core.wiring.composition import Composition; "
        "from tfaas_core.config import load_config; from tfaas_core.host import Host; "
        f"disabled = 'plugins.disabled={json.dumps(HEAVY_PLUGINS)}'; "
        "host = Host.at_rest(Composition.of(load_config(overrides=[disabled]))); host.routes(); "
        "assert host.plugins.guards(host).at('/json', 'predict') is None; "
        "assert 'rate_limit' not in host.memory; assert 'limits' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=tmp_path)
