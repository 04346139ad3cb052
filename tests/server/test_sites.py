"""What pages of other sites have browsers send: looks, and nothing else unless it is allowed."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer

LAB, EVIL = "https://lab.example", "https://evil.example"
LANES = pytest.mark.parametrize(
    "lane", [{}, {"Expect": "100-continue"}], ids=["express", "Sanic's"]
)
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Without a guard, as on a machine of one's own; ``[cors]`` allows one origin."""
    settings = ("server.workers=1", f'cors.origins=["{LAB}"]', "plugins.access_log.enabled=true")
    with fake_server(tmp_path_factory.mktemp("sites"), *settings) as running:
        assert running.upload("vk", b"sum").status_code == 200
        yield running


def predict(
    server: RunningServer, site: str, lane: dict[str, str], **headers: str
) -> httpx.Response:
    sent = FORM | lane | headers | {"Sec-Fetch-Site": site}
    return server.http.post("/json", content=b'{"values": [1, 2, 3]}', headers=sent)


@LANES
@pytest.mark.parametrize("origin", [EVIL, "null", f"{LAB}.evil.example", ""])
def test_what_another_site_sends_is_refused(
    server: RunningServer, lane: dict[str, str], origin: str
) -> None:
    headers = {"Origin": origin} if origin else {}
    refused = predict(server, "cross-site", lane, **headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "`cors.origins`" in refused.json()["error"]


@LANES
@pytest.mark.parametrize("site", ["same-origin", "same-site", "none", "odd"])
def test_what_is_of_this_site_or_of_nobodys_passes(
    server: RunningServer, lane: dict[str, str], site: str
) -> None:
    assert predict(server, site, lane, Origin=EVIL).status_code == 200


@LANES
def test_sites_that_cors_allows_may_ask(server: RunningServer, lane: dict[str, str]) -> None:
    assert predict(server, "cross-site", lane, Origin=LAB).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("POST", path) for path in ("/upload", "/params", "/models/vk/rollback", "/predict")),
        *(("POST", path) for path in ("/v1/models/vk:predict", "/v2/models/vk/infer")),
        *(("DELETE", path) for path in ("/delete/vk", "/models/vk/versions/1")),
        ("PUT", "/models/vk/labels/a"),
    ],
)
def test_nothing_is_changed_or_asked_by_another_site(
    server: RunningServer, method: str, path: str
) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": EVIL}
    assert server.http.request(method, path, headers=headers).status_code == 403
    assert server.names() == ["vk"]
    assert f"{method} {path} 403 " in server.log.read_text()


def test_other_sites_may_look_and_link(server: RunningServer) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    for path in ("/models", "/health/live", "/v2/models/vk", "/status"):
        assert server.http.get(path, headers=headers).status_code == 200
        assert server.http.head(path, headers=headers).status_code == 200
