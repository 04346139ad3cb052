"""Scripts of other origins, as browsers let them ask: preflights, and answers they may read."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tfaas_core.config import load_config
from tfaas_core.host import Host
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer
from tfaas_core.wiring.composition import Composition

LAB = "https://lab.example"
EVIL = "https://evil.example"
TOKEN = "of-alice-and-nobody-else"
SETTINGS = (
    *("server.workers=1", f'cors.origins=["{LAB}", "http://localhost:3000"]'),
    *('cors.methods=["GET", "POST", "PUT", "DELETE"]', "server.max_body_bytes=1000"),
    f'plugins.token_guard.tokens={{alice = "{TOKEN}"}}',
)
ROW = {"model": "vk", "values": [1, 2, 3]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with fake_server(tmp_path_factory.mktemp("cors"), *SETTINGS) as running:
        known = {"Authorization": f"Bearer {TOKEN}"}
        files = {"model": ("model.pb", b"sum")}
        stored = running.http.post("/upload", data={"name": "vk"}, files=files, headers=known)
        assert stored.status_code == 200
        yield running


def all_paths() -> list[tuple[str, set[str]]]:
    host = Host.at_rest(Composition.of(load_config(environ={})))
    methods: dict[str, set[str]] = {}
    for route in host.routes():
        methods.setdefault(route.path, set()).update(route.methods)
    return sorted(methods.items())


def preflight(server: RunningServer, path: str, origin: str, method: str) -> httpx.Response:
    asks = {"Origin": origin, "Access-Control-Request-Method": method}
    asks |= {"Access-Control-Request-Headers": "authorization, content-type"}
    return server.http.options(path, headers=asks)


@pytest.mark.parametrize(("pattern", "methods"), all_paths())
def test_a_preflight_is_answered_for_every_route_without_a_token(
    server: RunningServer, pattern: str, methods: set[str]
) -> None:
    path = pattern.replace("{", "").replace("}", "")
    answer = preflight(server, path, LAB, min(methods))
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == LAB
    assert set(answer.headers["access-control-allow-methods"].split(", ")) == methods
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-max-age"] == "600"
    assert "Origin" in answer.headers["vary"].split(", ")
    assert "access-control-allow-credentials" not in answer.headers


def test_a_preflight_of_another_origin_or_for_nothing_allows_nothing(
    server: RunningServer,
) -> None:
    for origin in (EVIL, "null", f"{LAB}.evil.example", f"{LAB}:8443", LAB.upper(), "*"):
        answer = preflight(server, "/json", origin, "POST")
        assert answer.status_code == 204
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert preflight(server, "/nothing", LAB, "GET").status_code == 404
    bare = server.http.options("/json", headers={"Origin": LAB})
    assert (bare.status_code, bare.headers["allow"]) == (405, "POST")


KNOWN = {"Authorization": f"Bearer {TOKEN}"}
ANSWERS = {
    200: ("POST", "/json", json.dumps(ROW).encode(), KNOWN),
    400: ("POST", "/json", b"{", KNOWN),
    401: ("POST", "/json", json.dumps(ROW).encode(), {}),
    404: ("POST", "/json", b'{"model": "no", "values": [1]}', KNOWN),
    405: ("PUT", "/json", b"", KNOWN),
    413: ("POST", "/json", b" " * 1001, KNOWN),
    415: ("POST", "/json", b"{}", KNOWN | {"Content-Type": "text/odd"}),
}


@pytest.mark.parametrize("status", ANSWERS)
@pytest.mark.parametrize("lane", ["express", "Sanic's"])
def test_answers_may_be_read_errors_too(server: RunningServer, status: int, lane: str) -> None:
    method, path, body, headers = ANSWERS[status]
    headers = headers | {"Origin": LAB}
    if lane != "express":
        headers["TE"] = "trailers"
    answer = server.http.request(method, path, content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == LAB
    assert {"TFaaS-Model", "Retry-After", "X-Request-Id"} <= set(
        answer.headers["access-control-expose-headers"].split(", ")
    )
    assert answer.headers["vary"] == "Origin"
    other = server.http.request(method, path, content=body, headers=headers | {"Origin": EVIL})
    assert "access-control-allow-origin" not in other.headers
    assert other.headers["vary"] == "Origin"


def test_a_streamed_answer_may_be_read(server: RunningServer) -> None:
    answer = server.http.get("/models/vk/download", headers=KNOWN | {"Origin": LAB})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == LAB
