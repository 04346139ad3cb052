"""Issuer: whose tokens are taken, and what is looked at in them."""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

from tfaas_plugins.grants import Grants
from tfaas_plugins.oidc_guard.jwt import Jwt
from tfaas_plugins.oidc_guard.key_store import KeyStore
from tfaas_plugins.oidc_guard.keys import PublicKey
from tfaas_plugins.oidc_guard.refusals import InsufficientScope, InvalidToken
from tfaas_plugins.oidc_guard.rules import Rule, scopes_of, texts
from tfaas_plugins.oidc_guard.table import OidcIssuer, lacks_path

ANY_AUDIENCE = "https://wlcg.cern.ch/jwt/v1/any"
"""Tokens of the WLCG profile for this audience are for everybody."""

_WLCG_VERSION = re.compile("1[.][0-9]+", re.ASCII)
_TYPES = ("jwt", "at+jwt", "application/at+jwt")
_LONGEST_SUBJECT = 255
_LONGEST_KID = 1000


class Verified(msgspec.Struct, frozen=True):
    """Who has sent a token of ``issuer``, and what it is good for until ``expires_s``.

    ``generation``: that of the keys it was verified by.
    """

    issuer: Issuer
    identity: str
    grants: Grants
    expires_s: float
    generation: int


class Issuer:
    """An issuer that is called ``name``, and its ``keys``."""

    def __init__(self, name: str, entry: OidcIssuer, keys: KeyStore, leeway_s: float) -> None:
        self.name, self.entry, self.keys = name, entry, keys
        self._leeway_s = leeway_s
        self._is_wlcg = entry.profile == "wlcg"
        self._rules = [Rule(r, entry.groups_in, self._is_wlcg) for r in entry.rules.values()]

    def algorithm(self, token: Jwt) -> str:
        """How ``token`` says it is signed. Raises InvalidToken if that is not taken."""
        alg, kind = token.header.get("alg"), token.header.get("typ", "JWT")
        if alg not in self.entry.algorithms:
            raise InvalidToken("the token is not signed by an algorithm that this server takes")
        if "crit" in token.header:
            raise InvalidToken("the token takes an extension that this server does not know")
        if not isinstance(kind, str) or kind.lower() not in _TYPES:
            raise InvalidToken("the token is of a type that is no access token")
        return str(alg)

    def kid(self, token: Jwt) -> str | None:
        """Which key it says that it is signed by. Raises InvalidToken."""
        kid = token.header.get("kid")
        if kid is None or (isinstance(kid, str) and len(kid) <= _LONGEST_KID):
            return kid
        raise InvalidToken("the token says nothing usable of its key")

    def verified(self, token: Jwt, keys: list[PublicKey], now_s: float) -> Verified:
        """What ``token`` proves if one of ``keys`` has signed it. Raises InvalidToken."""
        alg = self.algorithm(token)
        if not keys:
            raise InvalidToken("the token is signed by a key that its issuer does not show")
        if not any(key.has_signed(token.text, alg) for key in keys):
            raise InvalidToken("the token's signature is wrong")
        claims = token.claims
        expires_s = self._check_times(claims, now_s)
        said = texts(claims.get("aud"))
        audiences = {*self.entry.audiences, *([ANY_AUDIENCE] if self._is_wlcg else [])}
        if audiences.isdisjoint(said):
            raise InvalidToken("the token is for another audience than this server")
        scopes = scopes_of(claims)
        if self._is_wlcg:
            _check_profile(claims, scopes)
        identity = f"{self.name}:{_subject(claims)}"
        found = [rule.grant(claims, scopes) for rule in self._rules]
        grants = [grant for grant in found if grant is not None]
        return Verified(
            self,
            identity,
            Grants(identity, grants, InsufficientScope),
            expires_s,
            self.keys.generation,
        )

    def is_expired(self, verified: Verified, now_s: float) -> bool:
        """Whether it holds no more."""
        return now_s >= verified.expires_s + self._leeway_s

    def _check_times(self, claims: dict[str, Any], now_s: float) -> float:
        """When the token expires, in seconds since 1970. Raises InvalidToken."""
        expires_s, leeway_s = _time(claims, "exp"), self._leeway_s
        if expires_s is None:
            raise InvalidToken("the token does not say when it expires")
        if now_s >= expires_s + leeway_s:
            raise InvalidToken("the token has expired")
        begins_s, issued_s = _time(claims, "nbf"), _time(claims, "iat")
        if begins_s is not None and now_s < begins_s - leeway_s:
            raise InvalidToken("the token is not valid yet")
        if issued_s is not None and now_s < issued_s - leeway_s:
            raise InvalidToken("the token was issued in the future")
        return expires_s


def _time(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidToken(f"the token's {name} is no time")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds):
        raise InvalidToken(f"the token's {name} is no time")
    return seconds


def _subject(claims: dict[str, Any]) -> str:
    subject = claims.get("sub")
    if isinstance(subject, str) and 0 < len(subject) <= _LONGEST_SUBJECT and subject.isprintable():
        return subject
    raise InvalidToken("the token does not say whose it is, or in no way that fits a log")


def _check_profile(claims: dict[str, Any], scopes: frozenset[str]) -> None:
    """Raises InvalidToken unless the WLCG profile has the token taken."""
    version = claims.get("wlcg.ver")
    if not isinstance(version, str) or _WLCG_VERSION.fullmatch(version) is None:
        raise InvalidToken("the token is not of version 1 of the WLCG profile")
    if "iat" not in claims:
        raise InvalidToken("the token does not say when it was issued, as the WLCG profile asks")
    if any(map(lacks_path, scopes)):
        raise InvalidToken("the token has a storage scope without a path")
