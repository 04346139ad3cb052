"""Which host a proxy of deploy/ asks for which model, with hosts that only say who they are."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.certificates import Authority
from tests.deploy.proxies import MORE, PLACES, needs_proxies, running
from tfaas_core.testing.waiting import until

pytestmark = needs_proxies

HOSTS = (*PLACES, *MORE)
NAMES = [f"model-{number}" for number in range(1000)]


@contextmanager
def sayer(word: str, are_ready: threading.Event) -> Iterator[str]:
    """Answers each request by ``word``, and is ready as long as all are; yields where."""

    class Says(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # In one piece: what follows a head would wait until that is acknowledged, 40 ms later.
        wbufsize = -1

        def do_GET(self) -> None:
            is_well = are_ready.is_set() or self.path != "/health/ready"
            self.send_response(200 if is_well else 503)
            self.send_header("Content-Length", str(len(word)))
            self.end_headers()
            self.wfile.write(word.encode())

        def log_message(self, *_words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Says) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def are_ready() -> threading.Event:
    return threading.Event()


@pytest.fixture(scope="module")
def hosts(are_ready: threading.Event) -> Iterator[Mapping[str, str]]:
    with ExitStack() as stack:
        yield {place: stack.enter_context(sayer(place, are_ready)) for place in HOSTS}


@pytest.fixture(autouse=True)
def _ready(are_ready: threading.Event) -> None:
    are_ready.set()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def homes(
    folder: Path, proxy: str, authority: Authority, hosts: Mapping[str, str], places: Sequence[str]
) -> dict[str, str]:
    """The host that each model of NAMES has, if there are those of ``places``."""
    folder.mkdir()
    there = {place: hosts[place] for place in places}
    with (
        running(folder, proxy, authority.signed("tfaas"), there) as url,
        httpx.Client(base_url=url, verify=authority.client()) as client,
    ):
        return {name: client.get(f"/models/{name}").text for name in NAMES}


@pytest.mark.parametrize("proxy", ["haproxy", "nginx"])
def test_hosts_have_equal_shares_and_one_that_goes_moves_its_own_models_alone(
    tmp_path: Path, proxy: str, authority: Authority, hosts: Mapping[str, str]
) -> None:
    before = homes(tmp_path / "all", proxy, authority, hosts, HOSTS)
    mean = len(NAMES) / len(HOSTS)
    shares = Counter(before.values())
    assert all(0.6 * mean < shares[place] < 1.4 * mean for place in HOSTS), shares
    gone, *others = HOSTS
    after = homes(tmp_path / "others", proxy, authority, hosts, others)
    assert {name for name in NAMES if before[name] != after[name]} == {
        name for name in NAMES if before[name] == gone
    }


def test_models_keep_their_hosts_while_none_is_ready(
    tmp_path: Path, authority: Authority, hosts: Mapping[str, str], are_ready: threading.Event
) -> None:
    """As while the database is away: what is loaded answers."""
    ready = homes(tmp_path / "ready", "haproxy", authority, hosts, HOSTS)
    are_ready.clear()
    folder = tmp_path / "unready"
    folder.mkdir()
    with (
        running(folder, "haproxy", authority.signed("tfaas"), hosts) as url,
        httpx.Client(base_url=url, verify=authority.client()) as client,
    ):
        log = folder / "haproxy.log"
        until(lambda: "hosts has no server available" in log.read_text(), what="it is noticed")
        assert {name: client.get(f"/models/{name}").text for name in NAMES} == ready
