"""Documents of an issuer that are of no use, and keys that are none."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey
from tfaas_plugins.oidc_guard.keys import MAX_KEYS, Keys

from tests.issuer import Issuer, Signer, reply
from tests.plugins.oidc_guard.asked import DISCOVERY, Asked
from tfaas_core.testing.loops import in_event_loop


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
    asked = Asked(issuer, timeout_s=1.0 if answer is trickling else 30.0)
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
