"""The token guard, as clients and operators see it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest

from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.testing.server import RunningServer

SETTINGS = (
    "plugins.token_guard.tokens={"
    'alice = "of-alice", bob = { env = "BOBS_TOKEN" },'
    f'carol = {{ sha256 = "{sha256(b"of-carol").hexdigest()}",'
    'rights = ["read", "predict"], models = ["top-*"] } }',
    "plugins.access_log.enabled=true",
    "server.workers=1",
    "engine.isolation=inline",
)
ROW = {"values": [1, 2, 3], "model": "vk"}
UNKNOWN = "the token is not known here; ask whoever runs this server"
ALICE = {"Authorization": "Bearer of-alice"}
CAROL = {"Authorization": "Bearer of-carol"}
BOB = {"Authorization": "bearer  of-bob"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("guarded")
    with fake_server(folder, *SETTINGS, env={"BOBS_TOKEN": "of-bob"}) as server:
        model = {"model": ("vk.pb", b"sum")}
        stored = server.http.post("/upload", data={"name": "vk"}, files=model, headers=ALICE)
        assert stored.status_code == 200
        yield server


def refused(answer: httpx.Response, sentence: str) -> bool:
    document = answer.json()
    return (
        (answer.status_code, document["code"]) == (401, "unauthorized")
        and answer.headers["www-authenticate"] == "Bearer"
        and document["error"].startswith(sentence)
    )


@pytest.mark.parametrize("lane", [{}, {"Expect": "100-continue"}], ids=["express", "Sanic's"])
def test_predictions_take_a_token(guarded: RunningServer, lane: dict[str, str]) -> None:
    for path in ("/json", "/models/vk/predict/json", "/predict"):
        ask: Any = lambda headers, path=path: guarded.http.post(  # noqa: E731
            path, json=ROW, headers=headers | lane
        )
        assert ask(ALICE).status_code == ask(BOB).status_code == 200
        assert refused(ask({}), "this server asks for a token")
        assert refused(ask({"Authorization": "Bearer of-dan"}), UNKNOWN)
        assert refused(ask({"Authorization": "Basic of-alice"}), "this server asks for a token")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/models"),
        ("GET", "/models/vk/download"),
        ("GET", "/status"),
        ("DELETE", "/delete/vk"),
        ("DELETE", "/delete?model=vk"),
        ("POST", "/models/vk/rollback"),
        ("PUT", "/models/vk/labels/stable"),
        ("POST", "/params"),
    ],
)
def test_all_else_takes_one_too(guarded: RunningServer, method: str, path: str) -> None:
    assert refused(guarded.http.request(method, path), "this server asks for a token")
    assert guarded.http.get("/models", headers=BOB).json()[0]["name"] == "vk"


def test_an_upload_is_refused_before_it_is_sent(guarded: RunningServer) -> None:
    url = guarded.http.base_url
    with closing(HTTPConnection(url.host, url.port)) as connection:
        connection.putrequest("POST", "/bundle?name=x")
        connection.putheader("Content-Length", str(1 << 30))
        connection.endheaders(bytes(1000))
        assert connection.getresponse().status == 401


@pytest.fixture
def top(guarded: RunningServer) -> Iterator[str]:
    model = {"model": ("top.pb", b"sum")}
    stored = guarded.http.post("/upload", data={"name": "top-1"}, files=model, headers=ALICE)
    assert stored.status_code == 200
    yield "top-1"
    guarded.http.delete("/delete/top-1", headers=ALICE)


@pytest.mark.parametrize("lane", [{}, {"Expect": "100-continue"}], ids=["express", "Sanic's"])
def test_a_token_is_good_for_some_models(
    guarded: RunningServer, top: str, lane: dict[str, str]
) -> None:
    asked = CAROL | lane
    assert guarded.http.post("/json", json=ROW | {"model": top}, headers=asked).status_code == 200
    for path in ("/json", "/models/vk/predict/json"):
        refusal = guarded.http.post(path, json=ROW, headers=asked)
        assert (refusal.status_code, refusal.json()["right"]) == (403, "predict")
        assert "for other models alone: top-*" in refusal.json()["error"]
    # Whether there is such a model, it does not say.
    assert guarded.http.get("/models/missing", headers=CAROL).status_code == 403
    assert guarded.http.get("/models/top-2", headers=CAROL).status_code == 404


def test_lists_show_what_a_token_may_read(guarded: RunningServer, top: str) -> None:
    for row, who in ((ROW, ALICE), (ROW | {"model": top}, CAROL)):
        assert guarded.http.post("/json", json=row, headers=who).status_code == 200

    def names(who: dict[str, str]) -> list[str]:
        return [record["name"] for record in guarded.http.get("/models", headers=who).json()]

    def loaded(who: dict[str, str]) -> list[str]:
        records = guarded.http.get("/status", headers=who).json()["models"]
        return [record["model"].partition("/")[0] for record in records]

    assert names(ALICE) == loaded(ALICE) == [top, "vk"]
    assert names(CAROL) == loaded(CAROL) == [top]


def test_a_missing_right_is_a_403_that_names_it(guarded: RunningServer, top: str) -> None:
    asked = (("DELETE", f"/delete/{top}", "delete"), ("POST", "/upload", "upload"))
    for method, path, right in (*asked, ("POST", "/params", "admin")):
        refusal = guarded.http.request(method, path, headers=CAROL)
        assert (refusal.status_code, refusal.json()["right"]) == (403, right)
        assert refusal.json()["error"] == (
            f"this takes the right '{right}', which 'carol' lacks; it has: predict, read"
        )


def test_commands_send_the_token_of_the_environment(
    guarded: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def models() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tfaas_core", "models", "--url", guarded.url]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    monkeypatch.setenv("TFAAS_TOKEN", "of-bob")
    assert models().stdout.startswith("NAME")
    monkeypatch.delenv("TFAAS_TOKEN")
    run = models()
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert "asks for a token" in run.stderr
    assert "these commands send the token that TFAAS_TOKEN holds" in run.stderr


def test_the_access_log_says_who_asked(guarded: RunningServer) -> None:
    guarded.http.get("/models?mine", headers=ALICE)
    guarded.http.get("/models")
    lines = guarded.log.read_text().splitlines()
    assert any("GET /models 200 as=alice" in line for line in lines)
    assert any("GET /models 401 code=unauthorized" in line for line in lines)


@pytest.mark.parametrize("path", ["/upload", "/delete/sum"])
def test_a_line_about_a_missing_right_says_whose_it_is(guarded: RunningServer, path: str) -> None:
    method = "POST" if path == "/upload" else "DELETE"
    assert guarded.http.request(method, path, headers=CAROL).status_code == 403
    line = f"{method} {path} 403 as=carol code=forbidden"
    assert line in guarded.log.read_text()


def test_a_token_that_is_not_there_is_a_start_up_error(tmp_path: Path) -> None:
    without_tensorflow = f"plugins.disabled={json.dumps(HEAVY_PLUGINS)}"
    settings = ["--set", SETTINGS[0], "--set", without_tensorflow]
    command = [sys.executable, "-m", "tfaas_core", "check", *settings]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert run.returncode == 1
    assert run.stderr == (
        "tfaas: the environment variable BOBS_TOKEN is empty or not there - at "
        "`$.plugins.token_guard.tokens.bob`\n"
    )
