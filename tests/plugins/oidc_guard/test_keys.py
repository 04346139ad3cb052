"""Keys are fetched from an issuer that may hang, go away, lie, and rotate them."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey
from tfaas_plugins.oidc_guard import key_store
from tfaas_plugins.oidc_guard.guard import OidcGuard
from tfaas_plugins.oidc_guard.issuers import Issuers
from tfaas_plugins.oidc_guard.key_store import PAUSE_S, KeyStore
from tfaas_plugins.oidc_guard.keys import MAX_KEYS, Keys

from tests.issuer import Issuer, Signer, claims_of, reply, signed
from tests.plugins.oidc_guard.guards import admitted, bearing, table
from tfaas_core.errors import TfaasError, Unauthorized, Unavailable
from tfaas_core.testing.loops import in_event_loop

DISCOVERY = "/.well-known/openid-configuration"


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Asked:
    """A guard that fetches the keys of ``issuer``, and the clock of its pauses."""

    def __init__(self, issuer: Signer, **more: Any) -> None:
        self.clock = Clock()
        issuers = Issuers().of_table(table(issuer, **more), Path())
        self.store: KeyStore = issuers[0].keys
        self.store._clock = self.clock
        self.guard = OidcGuard(issuers)

    async def outcome(self, token: str) -> str | int:
        """Who asks, or the status."""
        try:
            return await admitted(self.guard, token)
        except TfaasError as error:
            return error.status

    async def fetched(self) -> None:
        """Until nothing is being fetched."""
        if self.store._loading is not None:
            await self.store._loading


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as issuer:
        yield issuer


@in_event_loop
async def test_keys_are_fetched_once_for_all_who_come(issuer: Issuer) -> None:
    asked = Asked(issuer)
    tokens = [issuer.token(sub=f"u{n}") for n in range(20)]
    found = await asyncio.gather(*(asked.outcome(token) for token in tokens))
    assert found == [f"lab:u{n}" for n in range(20)]
    assert issuer.asked == [DISCOVERY, "/jwks"]
    assert asked.guard.admit(bearing(issuer.token())) == "lab:alice"


@in_event_loop
async def test_keys_may_be_at_a_url_without_discovery(issuer: Issuer) -> None:
    asked = Asked(issuer, jwks=f"{issuer.url}/jwks")
    assert await asked.outcome(issuer.token()) == "lab:alice"
    assert issuer.asked == ["/jwks"]


@in_event_loop
async def test_a_rotated_key_is_fetched_and_the_former_is_taken_no_more(issuer: Issuer) -> None:
    asked = Asked(issuer)
    before = issuer.token()
    assert await asked.outcome(before) == "lab:alice"
    issuer.rotate()
    asked.clock.now_s += PAUSE_S
    assert await asked.outcome(issuer.token()) == "lab:alice"
    assert issuer.fetches() == 2
    # Not even what was verified by it.
    assert await asked.outcome(before) == 401


@in_event_loop
async def test_keys_are_refreshed_while_nobody_waits(issuer: Issuer) -> None:
    asked = Asked(issuer, refresh_s=100)
    token = issuer.token()
    assert await asked.outcome(token) == "lab:alice"
    issuer.rotate()
    asked.clock.now_s += 100
    # Neither one that is kept waits, nor another one.
    assert asked.guard.admit(bearing(token)) == "lab:alice"
    assert asked.guard.admit(bearing(of_the_first_key(issuer, "bob"))) == "lab:bob"
    await asked.fetched()
    assert issuer.fetches() == 2
    assert await asked.outcome(token) == 401


def of_the_first_key(issuer: Issuer, sub: str) -> str:
    return signed(claims_of(issuer.url, sub=sub), Signer().keys["first"], kid="first")


@in_event_loop
async def test_unknown_keys_cause_no_storm_of_fetches(issuer: Issuer) -> None:
    asked = Asked(issuer)
    known, stranger = issuer.token(), RSAKey.generate_key(2048)
    assert await asked.outcome(known) == "lab:alice"

    def strange(n: int) -> str:
        return signed(claims_of(issuer.url), stranger, kid=f"kid-{n}")

    tokens = [strange(n) for n in range(50)]
    for step in range(3):
        asked.clock.now_s += PAUSE_S
        outcomes = await asyncio.gather(*(asked.outcome(token) for token in tokens))
        assert outcomes == [401] * 50
        for token in tokens:
            with pytest.raises(Unauthorized):
                asked.guard.admit(bearing(token))
        assert issuer.fetches() == 2 + step


@in_event_loop
async def test_while_the_issuer_hangs_those_with_known_keys_do_not_wait(issuer: Issuer) -> None:
    asked = Asked(issuer, timeout_s=1.0)
    known = issuer.token()
    assert await asked.outcome(known) == "lab:alice"
    issuer.answers["/jwks"] = issuer.hang
    asked.clock.now_s += PAUSE_S
    strange = signed(claims_of(issuer.url), RSAKey.generate_key(2048), kid="other")
    waiting = [asyncio.create_task(asked.outcome(strange)) for _ in range(300)]
    await asyncio.sleep(0)
    for n in range(10):
        # Plain answers, of nobody who waits.
        assert asked.guard.admit(bearing(issuer.token(sub=f"u{n}"))) == f"lab:u{n}"
    begin_s = time.monotonic()
    outcomes = await asyncio.gather(*waiting)
    assert time.monotonic() - begin_s < 10
    assert set(outcomes) == {503}
    assert len([path for path in issuer.asked if path == "/jwks"]) == 2
    # It is not asked again at once, and those keys hold.
    assert await asked.outcome(strange) == 503
    assert await asked.outcome(known) == "lab:alice"
    assert issuer.fetches() == 2


@in_event_loop
async def test_keys_are_kept_while_the_issuer_is_away(caplog: pytest.LogCaptureFixture) -> None:
    with Issuer() as issuer:
        asked = Asked(issuer, refresh_s=100)
        assert await asked.outcome(issuer.token()) == "lab:alice"
    for n in range(5):
        asked.clock.now_s += 1000
        token = of_the_first_key(issuer, f"u{n}")
        assert asked.guard.admit(bearing(token)) == f"lab:u{n}"
        await asked.fetched()
        assert asked.store._failure
    told = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert len(told) == 5
    assert "the keys of the issuer lab cannot be had, so the former ones hold" in told[0].message
    with Issuer(issuer.port) as back:
        back.rotate()
        asked.clock.now_s += 1000
        assert await asked.outcome(back.token()) == "lab:alice"


@in_event_loop
async def test_an_issuer_that_was_never_there_is_a_503_until_it_comes() -> None:
    with Issuer() as issuer:
        pass
    asked = Asked(issuer)
    with pytest.raises(Unavailable, match="keys of the issuer lab cannot be had now"):
        await admitted(asked.guard, issuer.token())
    with Issuer(issuer.port) as back:
        assert await asked.outcome(issuer.token()) == 503
        assert back.asked == []
        asked.clock.now_s += PAUSE_S
        assert await asked.outcome(issuer.token()) == "lab:alice"


def sends(body: bytes, status: int = 200, **headers: str) -> Any:
    return lambda request: reply(request, body, status, **headers)


def endless(request: BaseHTTPRequestHandler) -> None:
    """100 MB of JWKS."""
    request.send_response(200)
    request.end_headers()
    request.wfile.write(b'{"keys": [')
    for _ in range(100):
        request.wfile.write(b'"' + b"x" * 1_000_000 + b'",')


def trickling(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    for _ in range(100):
        request.wfile.write(b" ")
        time.sleep(0.1)


def secret_key() -> bytes:
    return json.dumps({"keys": [{"kty": "oct", "k": "eA", "kid": "first"}]}).encode()


WRONG: dict[str, tuple[Any, str]] = {
    "nothing": (sends(b""), "Expecting value"),
    "rubbish": (sends(b"\xff\x00<html>"), "can't decode"),
    "a list": (sends(b"[]"), "it is no JSON object"),
    "nested": (sends(b'{"keys":' + b"[" * 100_000), "nested too deeply"),
    "a name twice": (sends(b'{"keys": [], "keys": []}'), "a name is repeated"),
    "404": (sends(b"{}", 404), "has the status 404"),
    "500": (sends(b"{}", 500), "has the status 500"),
    "a redirect": (sends(b"", 302, Location="/other"), "redirects are not followed"),
    "compressed": (sends(b"x", Content_Encoding="gzip"), "is compressed"),
    "100 MB": (endless, "longer than 524288 bytes"),
    "a byte now and then": (trickling, "has not answered within 1 s"),
}
NO_KEYS: dict[str, tuple[Any, str]] = {
    "no keys": (sends(b"{}"), "has no list `keys`"),
    "keys of no use": (sends(b'{"keys": [1, {}, {"kty": "RSA"}]}'), "none of its keys"),
    "a secret": (sends(secret_key()), "none of its keys"),
}


@pytest.mark.parametrize(
    ("path", "answer", "why"),
    [(path, *WRONG[what]) for path in (DISCOVERY, "/jwks") for what in WRONG]
    + [("/jwks", *NO_KEYS[what]) for what in NO_KEYS],
    ids=[f"{path}-{what}" for path in ("discovery", "keys") for what in WRONG] + [*NO_KEYS],
)
@in_event_loop
async def test_a_wrong_document_is_a_503_and_named_in_the_log(
    issuer: Issuer, caplog: pytest.LogCaptureFixture, path: str, answer: Any, why: str
) -> None:
    issuer.answers[path] = answer
    asked = Asked(issuer, timeout_s=1.0)
    assert await asked.outcome(issuer.token()) == 503
    (told,) = caplog.records
    assert why in told.message
    assert f"{issuer.url}{path}" in told.message
    assert "its tokens are a 503" in told.message
    assert "/other" not in issuer.asked


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"issuer": "https://elsewhere.example"}, "it is of the issuer 'https://elsewhere"),
        ({"jwks_uri": None}, "it has no jwks_uri"),
        ({"jwks_uri": "file:///etc/passwd"}, "does not begin with https://"),
        ({"jwks_uri": "http://192.0.2.1/jwks"}, "is of another machine"),
        ({"jwks_uri": "http://localhost.evil.example/"}, "is of another machine"),
        ({"jwks_uri": "https://user:secret@x.example/"}, "is not like https://HOST/PATH"),
        ({"jwks_uri": "//x"}, "does not begin with"),
        ({"jwks_uri": "https:///x"}, "is not like"),
        ({"jwks_uri": "https://[x"}, "cannot be read"),
    ],
)
@in_event_loop
async def test_a_discovery_document_that_leads_elsewhere_is_not_followed(
    issuer: Issuer, caplog: pytest.LogCaptureFixture, document: dict[str, Any], why: str
) -> None:
    said = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/jwks", **document}
    issuer.answers[DISCOVERY] = sends(json.dumps(said).encode())
    assert await Asked(issuer).outcome(issuer.token()) == 503
    assert why in caplog.text
    assert issuer.asked == [DISCOVERY]


def test_keys_that_cannot_sign_are_passed_over() -> None:
    good = {**Signer().jwks["keys"][0], "kid": "good"}
    with pytest.warns(match="2048 bits"):
        weak = RSAKey.generate_key(1024).as_dict(private=False)
    elliptic = ECKey.generate_key("P-256").as_dict(private=False)
    passed_over: list[Any] = [
        {**good, "use": "enc"},
        {**good, "key_ops": ["sign"]},
        {**good, "alg": 5},
        {**good, "n": 5},
        {**good, "n": "!"},
        {**good, "kty": ["RSA"]},
        weak,
        {**good, "n": "_" * 4000},
        {**elliptic, "x": elliptic["y"]},
        {**elliptic, "crv": "P-999"},
        None,
        "x",
    ]
    found = Keys.read({"keys": [*passed_over, good]})
    assert len(found.of(None, "RS256")) == 1
    assert found.of(None, "ES256") == []
    with pytest.raises(ValueError, match="none of its keys"):
        Keys.read({"keys": [{**good, "use": "enc"}] * MAX_KEYS + [good]})


def test_a_private_key_that_is_shown_by_mistake_is_taken_as_a_public_one() -> None:
    shown = RSAKey.generate_key(2048).as_dict(private=True)
    (key,) = Keys.read({"keys": [shown]}).of(None, "RS256")
    assert not key.key.is_private


def test_a_key_for_one_algorithm_is_for_no_other() -> None:
    good = Signer().jwks["keys"][0]
    found = Keys.read({"keys": [{**good, "alg": "PS256"}]})
    assert found.of("first", "RS256") == []
    assert len(found.of("first", "PS256")) == 1


@in_event_loop
async def test_what_is_being_fetched_ends_with_the_server(issuer: Issuer) -> None:
    issuer.answers[DISCOVERY] = issuer.hang
    asked = Asked(issuer, timeout_s=60.0)
    loading = asked.store.begin()
    while not issuer.asked:
        await asyncio.sleep(0.01)
    await asked.store.close()
    assert loading.cancelled()


@in_event_loop
async def test_no_more_than_some_wait_for_a_fetch(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_store, "_MOST_WAITING", 2)
    issuer.answers[DISCOVERY] = issuer.hang
    asked = Asked(issuer, timeout_s=1.0)
    outcomes = [asyncio.create_task(asked.outcome(issuer.token(sub=str(n)))) for n in range(3)]
    await outcomes[2]
    assert [task.done() for task in outcomes] == [False, False, True]
    await asyncio.gather(*outcomes)
    assert issuer.asked == [DISCOVERY]
