"""The OIDC guard, beside tokens and certificates, as clients and operators see it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.issuer import AUDIENCE, Issuer, claims_of, signed
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

LANES = pytest.mark.parametrize(
    "lane", [{}, {"Expect": "100-continue"}], ids=["express", "Sanic's"]
)
ROBOT = {"Authorization": "Bearer of-a-robot"}
RULES = """
experts = { groups = ["/cms/ml"], rights = ["read", "predict", "upload", "delete", "admin"] }
people = { groups = ["/cms"], rights = ["read", "predict"], models = ["top-*"] }
"""


def config(issuer: Issuer, rules: str = RULES) -> str:
    return f"""
[server]
workers = 2
[engine]
isolation = "inline"
[plugins.access_log]
enabled = true
[plugins.rate_limit]
identity = "5 per 300 days"
[plugins.token_guard.tokens]
robot = "of-a-robot"
[plugins.oidc_guard.issuers.lab]
url = "{issuer.url}"
audiences = ["{AUDIENCE}"]
allow_http = true
[plugins.oidc_guard.issuers.lab.rules]
{rules}
"""


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guarded")


@pytest.fixture(scope="module")
def guarded(folder: Path, issuer: Issuer) -> Iterator[RunningServer]:
    (folder / "tfaas.toml").write_text(config(issuer))
    with fake_server(folder, arguments=["--config", str(folder / "tfaas.toml")]) as server:
        for name in ("vk", "top-1"):
            model = {"model": ("model.pb", b"sum")}
            expert = bearer(issuer.token(groups=["/cms/ml"]))
            stored = server.http.post("/upload", data={"name": name}, files=model, headers=expert)
            assert stored.status_code == 200
        yield server


def predict(server: RunningServer, headers: dict[str, str], model: str = "top-1") -> httpx.Response:
    row = {"values": [1, 2, 3], "model": model}
    return server.http.post("/json", json=row, headers=headers)


@LANES
def test_people_with_jwts_and_robots_with_tokens_are_let_in(
    guarded: RunningServer, issuer: Issuer, lane: dict[str, str]
) -> None:
    for sub in ("a", "b"):
        person = bearer(issuer.token(groups=["/cms"], sub=f"{sub}{len(lane)}")) | lane
        assert predict(guarded, person).text == "[6.0]\n" or predict(guarded, person).json() == [
            6.0
        ]
        refusal = predict(guarded, person, "vk")
        assert (refusal.status_code, refusal.json()["right"]) == (403, "predict")
        assert refusal.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'
    assert guarded.http.get("/models", headers=ROBOT | lane).status_code == 200
    names = guarded.http.get("/models", headers=bearer(issuer.token(groups=["/cms"]))).json()
    assert [record["name"] for record in names] == ["top-1"]


@LANES
def test_whoever_is_known_to_neither_gets_a_401_with_one_sentence(
    guarded: RunningServer, issuer: Issuer, lane: dict[str, str]
) -> None:
    strange = issuer.token(iss="https://elsewhere.example")
    for headers in ({}, bearer("of-nobody"), bearer(strange), {"Authorization": "Basic eDp5"}):
        refusal = predict(guarded, headers | lane)
        assert (refusal.status_code, refusal.json()["code"]) == (401, "unauthorized")
        assert refusal.headers["www-authenticate"] == "Bearer"
    refusal = predict(guarded, bearer(issuer.token(exp=1)) | lane)
    assert refusal.status_code == 401
    assert refusal.json()["error"] == "the token has expired"
    assert refusal.headers["www-authenticate"] == (
        'Bearer error="invalid_token", error_description="the token has expired"'
    )


def test_the_log_and_the_limits_know_who_asks(guarded: RunningServer, issuer: Issuer) -> None:
    tokens = [issuer.token(groups=["/cms"], sub="carol", n=n) for n in range(9)]
    statuses = [predict(guarded, bearer(token)).status_code for token in tokens]
    assert statuses == [200] * 5 + [429] * 4
    assert predict(guarded, bearer(issuer.token(groups=["/cms"], sub="dan"))).status_code == 200
    assert "POST /json 200 as=lab:carol" in guarded.log.read_text()


def test_a_rotated_key_is_taken_without_a_restart(tmp_path: Path) -> None:
    with Issuer() as issuer:
        (tmp_path / "tfaas.toml").write_text(config(issuer))
        arguments = ["--config", str(tmp_path / "tfaas.toml")]
        with fake_server(tmp_path, arguments=arguments) as server:
            first = bearer(issuer.token(groups=["/cms"]))
            assert server.http.get("/models", headers=first).status_code == 200
            issuer.rotate()
            second = bearer(issuer.token(groups=["/cms"]))
            # Each worker looks again after its pause.
            until(lambda: server.http.get("/models", headers=second).status_code == 200)


def test_rules_change_by_sighup(guarded: RunningServer, folder: Path, issuer: Issuer) -> None:
    token = bearer(issuer.token(groups=["/atlas"]))
    assert guarded.http.get("/models", headers=token).status_code == 403
    more = RULES + 'others = { groups = ["/atlas"], rights = ["read"] }\n'
    (folder / "tfaas.toml").write_text(config(issuer, more))
    guarded.process.send_signal(signal.SIGHUP)
    until(lambda: guarded.http.get("/models", headers=token).status_code == 200)
    until(lambda: "changed: plugins.oidc_guard" in guarded.log.read_text())


def test_the_server_starts_and_stops_while_the_issuer_hangs(tmp_path: Path) -> None:
    with Issuer() as issuer:
        issuer.answers["/.well-known/openid-configuration"] = issuer.hang
        (tmp_path / "tfaas.toml").write_text(config(issuer))
        arguments = ["--config", str(tmp_path / "tfaas.toml")]
        with fake_server(tmp_path, "server.workers=1", arguments=arguments) as server:
            assert server.http.get("/models", headers=ROBOT).status_code == 200
            refusal = server.http.get("/models", headers=bearer(issuer.token()))
            assert refusal.status_code == 503
            assert refusal.headers["retry-after"]
            assert "the keys of the issuer lab cannot be had now" in refusal.json()["error"]
            assert server.stop() == 0


def test_a_flood_of_strange_keys_slows_nobody_down(guarded: RunningServer, issuer: Issuer) -> None:
    before = issuer.fetches()
    strange = signed(claims_of(issuer.url), next(iter(issuer.keys.values())), kid="none")
    head, rest = strange.split(".", 1)
    with httpx.Client(base_url=guarded.url, verify=False) as client:
        for _ in range(200):
            assert client.get("/models", headers=bearer(f"{head}.{rest}")).status_code == 401
    assert issuer.fetches() - before <= 2 * 2


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    issuer = json.dumps({"lab": {"url": "https://lab.example", "audiences": ["x"]}})
    toml = issuer.replace('": ', '" = ')
    blocked = tmp_path / "joserfc"
    blocked.mkdir()
    (blocked / "__init__.py").write_text("raise ModuleNotFoundError('no', name='joserfc')")
    command = [sys.executable, "-m", "tfaas_core", "check"]
    settings = [
        f"plugins.oidc_guard.issuers={toml}",
        f"plugins.disabled={json.dumps(HEAVY_PLUGINS)}",
    ]
    options = [word for setting in settings for word in ("--set", setting)]
    environment: Any = {"PYTHONPATH": ":".join([str(tmp_path), *sys.path]), "PATH": "/usr/bin:/bin"}
    run = subprocess.run(
        [*command, *options],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env=environment,
    )
    assert run.returncode == 1
    assert run.stderr.startswith(
        "tfaas: issuers take the package joserfc, which is not installed; "
        "pip install 'tfaas[oidc]' - at `$.plugins.oidc_guard`\n"
    )
