"""The OIDC guard does what every guard does, and takes no token that somebody has tampered with."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey
from tfaas_plugins.oidc_guard import guard as oidc_guard
from tfaas_plugins.oidc_guard.guard import OidcGuard
from tfaas_plugins.oidc_guard.table import OidcGuardTable

from tests.issuer import AUDIENCE, LIFETIME_S, Signer, claims_of, signed
from tests.plugins.oidc_guard.guards import bearing, guard_of, table
from tfaas_core.errors import Forbidden, Unauthorized
from tfaas_core.testing.guard import (
    Admitted,
    AfterRenewal,
    GuardContract,
    Refused,
    asking_with,
    config_with,
)

RULES = {
    "people": {"groups": ["/cms"], "rights": ["read", "predict"], "models": ["top-*"]},
    "alice": {"subjects": ["alice"], "rights": ["upload"]},
}
PREDICTING = {"groups": ["/cms"], "rights": ["predict"]}
LAB = Signer()
CMS = bearing(LAB.token(sub="bob", groups=["/cms"]))


def made() -> OidcGuard:
    return guard_of(LAB, rules=RULES)


class TestOidcGuard(GuardContract):
    make_guard = staticmethod(made)
    admitted: ClassVar[list[Admitted]] = [
        Admitted(bearing(LAB.token(), "upload", "/upload"), "lab:alice"),
        Admitted(CMS, "lab:bob", "top-quark"),
        Admitted(bearing(LAB.token(groups=["/cms"])), "lab:alice", "top-quark"),
        Admitted(asking_with({"authorization": f"bearer  {LAB.token()} "}, "upload"), "lab:alice"),
    ]
    refused: ClassVar[list[Refused]] = [
        Refused(asking_with(), 401),
        Refused(bearing(""), 401),
        Refused(bearing("of-alice"), 401),
        Refused(bearing(LAB.token(exp=time.time() - 3600)), 401),
        Refused(bearing(LAB.token(iss="https://elsewhere.example")), 401),
        Refused(bearing(LAB.token(), "delete", "/delete"), 403),
        Refused(CMS, 403, model="vk"),
    ]
    renewals: ClassVar[list[AfterRenewal]] = [
        AfterRenewal(
            config_with(oidc_guard=table(LAB, rules={"people": PREDICTING})),
            admitted=[Admitted(CMS, "lab:bob", "vk")],
            refused=[Refused(bearing(LAB.token(), "upload", "/upload"), 403)],
        ),
        AfterRenewal(
            config_with(oidc_guard=OidcGuardTable()),
            refused=[Refused(CMS, 401)],
        ),
    ]


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "application/at+jwt", "AT+JWT"])
def test_access_tokens_say_so_in_several_ways(typ: str) -> None:
    token = signed(claims_of(LAB.url), LAB.keys["first"], kid="first", typ=typ)
    assert guard_of(LAB).admit(bearing(token)) == "lab:alice"


@pytest.mark.parametrize(("claim", "offset_s"), [("exp", -30), ("nbf", 30), ("iat", 30)])
def test_clocks_may_be_off_by_what_is_configured(claim: str, offset_s: float) -> None:
    claims: dict[str, Any] = {claim: time.time() + offset_s}
    token = LAB.token(**claims)
    assert guard_of(LAB).admit(bearing(token)) == "lab:alice"
    with pytest.raises(Unauthorized):
        guard_of(LAB, leeway_s=0).admit(bearing(token))


@pytest.mark.parametrize("claims", [{"iat": None}, {"aud": ["x", AUDIENCE]}])
def test_claims_may_be_several_or_left_out(claims: dict[str, Any]) -> None:
    assert guard_of(LAB).admit(bearing(LAB.token(**claims))) == "lab:alice"


@pytest.mark.parametrize(
    ("alg", "new_key"),
    [
        ("RS512", partial(RSAKey.generate_key, 2048)),
        ("PS256", partial(RSAKey.generate_key, 3072)),
        ("ES256", partial(ECKey.generate_key, "P-256")),
        ("ES384", partial(ECKey.generate_key, "P-384")),
        ("ES512", partial(ECKey.generate_key, "P-521")),
        ("Ed25519", partial(OKPKey.generate_key, "Ed25519")),
    ],
)
def test_algorithms_are_taken_if_they_are_configured(
    alg: str, new_key: Callable[[], RSAKey | ECKey | OKPKey]
) -> None:
    issuer = Signer(key=new_key())
    token = issuer.token(alg=alg)
    taken = guard_of(issuer, algorithms=[alg])
    assert taken.admit(bearing(token)) == "lab:alice"
    refusing = guard_of(issuer, algorithms=["RS256"])
    with pytest.raises(Unauthorized, match="not signed by an algorithm"):
        refusing.admit(bearing(token))


def test_a_token_need_not_name_its_key() -> None:
    token = signed(claims_of(LAB.url), LAB.keys["first"])
    assert guard_of(LAB).admit(bearing(token)) == "lab:alice"


def test_a_verified_token_is_kept_until_it_expires_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(oidc_guard, "MOST_KEPT", 3)
    now = [time.time()]
    found = guard_of(LAB, lambda: now[0])
    tokens = [LAB.token(sub=f"user-{n}") for n in range(5)]
    for token in tokens:
        found.admit(bearing(token))
    assert len(found._kept) == 3
    now[0] += LIFETIME_S + 61
    for token in tokens:
        with pytest.raises(Unauthorized, match="has expired"):
            found.admit(bearing(token))
        with pytest.raises(Unauthorized, match="has expired"):
            found.admit(bearing(token))


def test_what_began_before_a_token_expired_may_go_on() -> None:
    now = [time.time()]
    found = guard_of(LAB, lambda: now[0])
    asking = bearing(LAB.token())
    assert found.admit(asking) == "lab:alice"
    now[0] += LIFETIME_S + 3600
    assert found.admit_to(asking, "lab:alice", "vk") is None


def test_a_missing_right_is_a_403_that_says_so() -> None:
    with pytest.raises(Forbidden) as refused:
        made().admit(bearing(LAB.token(), "delete"))
    assert refused.value.headers() == {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
    assert refused.value.message == (
        "this takes the right 'delete', which 'lab:alice' lacks; it has: upload"
    )
