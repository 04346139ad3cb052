"""Whatever somebody makes of a token, it is not taken."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey
from tfaas_plugins.oidc_guard.keys import Keys

from tests.issuer import AUDIENCE, Signer, claims_of, signed
from tests.plugins.oidc_guard.guards import bearing, guard_of, identity
from tfaas_core.errors import TfaasError, Unauthorized
from tfaas_core.fields import Headers
from tfaas_core.guard import UnknownCredential
from tfaas_core.route import Head

LAB = Signer()
CMS_ALONE = {"cms": {"groups": ["/cms"], "rights": ["predict"]}}
NOT_YET = time.time() + 1e6


def refusal(token: str, **more: Any) -> TfaasError:
    with pytest.raises(TfaasError) as refused:
        identity(guard_of(LAB, **more), token)
    return refused.value


def is_invalid(token: str, sentence: str, **more: Any) -> None:
    """A 401 of this guard's own, which no other one is asked about."""
    error = refusal(token, **more)
    assert isinstance(error, Unauthorized)
    assert not isinstance(error, UnknownCredential)
    assert sentence in error.message
    challenge = error.headers()["WWW-Authenticate"]
    assert challenge == f'Bearer error="invalid_token", error_description="{error.message}"'


def is_unknown(token: str, **more: Any) -> None:
    """A 401 that leaves it to others to know the token."""
    assert isinstance(refusal(token, **more), UnknownCredential)


def part(document: object) -> str:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def unsigned(header: object, claims: object, signature: bytes = b"") -> str:
    return f"{part(header)}.{part(claims)}.{part(signature)}"


ALGORITHM = "not signed by an algorithm that this server takes"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", None, 1, ["RS256"], "HS256"])
@pytest.mark.parametrize("signature", [b"", b"x" * 256])
def test_an_algorithm_that_is_not_configured_is_refused(alg: object, signature: bytes) -> None:
    header = {"alg": alg, "kid": "first"}
    is_invalid(unsigned(header, claims_of(LAB.url), signature), ALGORITHM)
    is_invalid(unsigned({"kid": "first"}, claims_of(LAB.url), signature), ALGORITHM)


@pytest.mark.parametrize("form", ["pem", "der", "jwk", "n"])
def test_the_public_key_is_no_secret_that_signs(form: str) -> None:
    key = LAB.keys["first"]
    public: Any = key.get_op_key("verify")
    secrets = {
        "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "jwk": json.dumps(key.as_dict(private=False)).encode(),
        "n": str(key.as_dict(private=False)["n"]).encode(),
    }
    what = f"{part({'alg': 'HS256', 'kid': 'first'})}.{part(claims_of(LAB.url))}"
    digest = hmac.digest(secrets[form], what.encode(), hashlib.sha256)
    is_invalid(f"{what}.{part(digest)}", ALGORITHM)


def test_a_secret_among_the_keys_is_passed_over() -> None:
    secret = {"kty": "oct", "k": part(b"x" * 32), "kid": "shared"}
    found = Keys.read({"keys": [secret, *LAB.jwks["keys"]]})
    assert found.of("shared", "HS256") == found.of("shared", "RS256") == []
    assert len(found.of("first", "RS256")) == 1


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_keys_that_a_token_brings_along_are_ignored(alg: str) -> None:
    key = RSAKey.generate_key(2048) if alg == "RS256" else ECKey.generate_key("P-256")
    jwk = key.as_dict(private=False)
    claims, own = claims_of(LAB.url), {**jwk, "kid": "mine"}
    for brought in (
        {"jwk": own},
        {"jku": "http://127.0.0.1:9/jwks"},
        {"x5u": "http://127.0.0.1:9/cert"},
        {"x5c": ["MIIB"], "x5t": "abc"},
    ):
        for kid in ("first", "mine", None):
            named = {} if kid is None else {"kid": kid}
            is_invalid(signed(claims, key, alg, **named, **brought), "the token")


@pytest.mark.parametrize(
    "kid",
    ["../../../etc/passwd", "/dev/null", "first' OR '1'='1", "first\x00", "", "FIRST", "x" * 999],
)
def test_an_id_of_a_key_is_compared_and_nothing_else(kid: str) -> None:
    token = signed(claims_of(LAB.url), LAB.keys["first"], kid=kid)
    is_invalid(token, "a key that its issuer does not show")


@pytest.mark.parametrize("kid", [1, None, ["first"], {"a": 1}, "x" * 5000])
def test_an_id_that_is_no_name_is_refused(kid: object) -> None:
    token = unsigned({"alg": "RS256", "kid": kid}, claims_of(LAB.url), b"x")
    assert refusal(token).status == 401


@pytest.mark.parametrize("crit", [["exp"], ["b64"], [], "b64", None])
def test_extensions_that_must_be_understood_are_refused(crit: object) -> None:
    header = {"alg": "RS256", "kid": "first", "crit": crit, "b64": False}
    is_invalid(unsigned(header, claims_of(LAB.url), b"x"), "takes an extension")


@pytest.mark.parametrize("typ", ["dpop+jwt", "logout+jwt", "secevent+jwt", 5, None, ""])
def test_tokens_for_something_else_are_refused(typ: object) -> None:
    token = unsigned({"alg": "RS256", "kid": "first", "typ": typ}, claims_of(LAB.url), b"x")
    is_invalid(token, "of a type that is no access token")


def test_a_changed_token_is_refused() -> None:
    head, claims, signature = LAB.token().split(".")
    other = part(claims_of(LAB.url, sub="root"))
    is_invalid(f"{head}.{other}.{signature}", "signature is wrong")
    is_invalid(f"{head}.{claims}.", "signature is wrong")
    is_invalid(f"{head}.{claims}.{part(b'x' * 256)}", "signature is wrong")
    is_invalid(f"{head}.{claims}.{signature[:-8]}", "signature is wrong")
    stranger = RSAKey.generate_key(2048)
    is_invalid(signed(claims_of(LAB.url), stranger, kid="first"), "signature is wrong")


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"exp": time.time() - 61}, "has expired"),
        ({"exp": None}, "does not say when it expires"),
        ({"exp": "never"}, "exp is no time"),
        ({"exp": True}, "exp is no time"),
        ({"exp": 10**400}, "exp is no time"),
        ({"nbf": NOT_YET}, "is not valid yet"),
        ({"nbf": []}, "nbf is no time"),
        ({"iat": NOT_YET}, "issued in the future"),
        ({"aud": "https://elsewhere.example"}, "for another audience"),
        ({"aud": None}, "for another audience"),
        ({"aud": []}, "for another audience"),
        ({"aud": {AUDIENCE: 1}}, "for another audience"),
        ({"aud": AUDIENCE + "/"}, "for another audience"),
        ({"aud": "https://wlcg.cern.ch/jwt/v1/any"}, "for another audience"),
        ({"sub": None}, "does not say whose it is"),
        ({"sub": ""}, "does not say whose it is"),
        ({"sub": 5}, "does not say whose it is"),
        ({"sub": "a\nb"}, "does not say whose it is"),
        ({"sub": "x" * 256}, "does not say whose it is"),
    ],
)
def test_claims_that_are_wrong_are_refused(claims: dict[str, Any], sentence: str) -> None:
    is_invalid(LAB.token(**claims), sentence)


def deep(brackets: int) -> bytes:
    return b'{"iss":' + b"[" * brackets + b"]" * brackets + b"}"


ISSUER = json.dumps({"iss": LAB.url, "exp": 2e9})[1:-1].encode()

STRANGE = {
    "1 MB": "x" * 1_000_000,
    "1 MB of a token": unsigned({"alg": "RS256"}, {"iss": LAB.url, "x": "y" * 1_000_000}, b"x"),
    "no parts": "abc",
    "two parts": "abc.def",
    "four parts": "a.b.c.d",
    "an encrypted one": "a.b.c.d.e",
    "no base64": "a!.b.c",
    "letters that are none": "\u00e4\u00f6.b.c",
    "another issuer": LAB.token(iss="https://elsewhere.example"),
    "an issuer with a slash": LAB.token(iss=LAB.url + "/"),
    "an issuer in a list": LAB.token(iss=[LAB.url]),
    "no issuer": LAB.token(iss=None),
    "no object": unsigned({"alg": "RS256"}, [1], b"x"),
    "no JSON": unsigned(b"{", b"}", b"x"),
    "no UTF-8": unsigned({"alg": "RS256"}, b'{"iss":"\xff"}', b"x"),
    "nested claims": unsigned({"alg": "RS256"}, deep(5000), b"x"),
    "a nested header": unsigned(deep(5000), claims_of(LAB.url), b"x"),
    "a claim twice": signed(b"{%b,%b}" % (ISSUER, b'"sub":"a","sub":"b"'), LAB.keys["first"]),
    "a header twice": unsigned(b'{"alg":"RS256","alg":"none"}', claims_of(LAB.url), b""),
    "a number that is none": unsigned({"alg": "RS256"}, b'{%b,"nbf":NaN}' % ISSUER, b"x"),
    "a number that is too long": unsigned({"alg": "RS256"}, b'{"iat":%b}' % (b"9" * 9000), b"x"),
}


@pytest.mark.parametrize("what", STRANGE)
def test_what_is_no_token_of_an_issuer_is_left_to_other_guards(what: str) -> None:
    begin_s = time.process_time()
    is_unknown(STRANGE[what])
    assert time.process_time() - begin_s < 1


def test_two_tokens_are_none() -> None:
    twice = bearing(LAB.token())

    pairs = [*twice.head.headers.pairs] * 2
    asking = msgspec.structs.replace(twice, head=Head(headers=Headers(pairs)))
    with pytest.raises(UnknownCredential):
        guard_of(LAB).admit(asking)


@given(st.integers(0, 10_000), st.characters(min_codepoint=32, max_codepoint=126))
def test_no_letter_of_a_token_can_be_changed(place: int, letter: str) -> None:
    token = LAB.token(groups=["/cms"])
    place %= len(token)
    changed = token[:place] + letter + token[place + 1 :]
    # Some bits of the last letter of a part say nothing, and many letters are the same as before.
    said = [read(part) for part in changed.split(".")]
    if said == [read(part) for part in token.split(".")]:
        assert identity(guard_of(LAB, rules=CMS_ALONE), changed) == "lab:alice"
    else:
        assert refusal(changed, rules=CMS_ALONE).status in (401, 403)


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=20))
def test_nothing_but_a_refusal_comes_of_rubbish(head: bytes, claims: bytes, end: bytes) -> None:
    is_unknown(unsigned(head, claims, end))
    token = unsigned({"alg": "RS256", "kid": "first"}, claims_of(LAB.url), end)
    assert refusal(token).status == 401


def read(part: str) -> bytes | str:
    """What a part of a token is, or as it stands if it is none."""
    is_part = re.fullmatch("[A-Za-z0-9_-]*", part) and len(part) % 4 != 1
    return base64.urlsafe_b64decode(part + "==") if is_part else part
