"""OidcGuard: a guard that knows everybody by a JWT of an issuer that it trusts."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from hashlib import sha256

from tfaas_core.config import Config
from tfaas_core.guard import Asking, Guard, UnknownCredential
from tfaas_core.route import Head
from tfaas_plugins.oidc_guard.issuer import Issuer, Verified
from tfaas_plugins.oidc_guard.jwt import MAX_TOKEN_BYTES, Jwt
from tfaas_plugins.oidc_guard.refusals import InvalidToken, UnknownToken

MOST_KEPT = 4096
"""Tokens whose signature is not verified again."""

_HOW = "send it as the header 'Authorization: Bearer TOKEN'"

Issuers = Callable[[Config], Iterable[Issuer]]
"""The issuers that a configuration has."""


class OidcGuard(Guard):
    """Admits whoever sends a token of one of ``issuers``, to what their rules say.

    It keeps no token, but digests of them. ``again`` gives the issuers of a configuration that was
    read again; ``clock`` is the time in seconds since 1970.
    """

    authenticates = True

    def __init__(
        self,
        issuers: Iterable[Issuer],
        again: Issuers = lambda config: (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._again = again
        self._clock = clock
        self._kept: OrderedDict[bytes, Verified] = OrderedDict()
        self._take(issuers)

    def renew(self, config: Config) -> None:
        """Reads issuers and rules again; if there are none any more, nobody passes."""
        self._take(self._again(config))

    def _take(self, issuers: Iterable[Issuer]) -> None:
        self._by_url = {issuer.entry.url: issuer for issuer in issuers}
        self._kept.clear()

    def admit(self, asking: Asking) -> str | Awaitable[str]:
        """The issuer's name and the token's subject, as ``cms:2f0c``.

        Raises UnknownCredential, Unauthorized, Forbidden, and Unavailable if the keys are not to be
        had.
        """
        digest, token = _sent(asking.head)
        verified = self._kept_of(digest)
        if verified is not None:
            if verified.issuer.is_expired(verified, self._clock()):
                raise InvalidToken("the token has expired")
        else:
            found = self._verified(digest, token)
            if not isinstance(found, Verified):
                return _admitted(found, asking)
            verified = found
        verified.grants.check_right(asking.right)
        return verified.identity

    def admit_to(self, asking: Asking, identity: str, model: str) -> Awaitable[None] | None:
        """Raises Forbidden unless who asks may go to the model."""
        digest, token = _sent(asking.head)
        # It was valid when the request came; an upload may take longer than is left of it.
        found = self._kept_of(digest) or self._verified(digest, token)
        if not isinstance(found, Verified):
            return _admitted_to(found, asking, model)
        found.grants.check_model(model, asking.right)
        return None

    def _kept_of(self, digest: bytes) -> Verified | None:
        verified = self._kept.get(digest)
        if verified is None:
            return None
        if verified.generation != verified.issuer.keys.generation:
            del self._kept[digest]
            return None
        self._kept.move_to_end(digest)
        verified.issuer.keys.refresh()
        return verified

    def _verified(self, digest: bytes, text: str) -> Verified | Awaitable[Verified]:
        token = Jwt.of(text)
        url = None if token is None else token.claims.get("iss")
        issuer = self._by_url.get(url) if isinstance(url, str) else None
        if token is None or issuer is None:
            if len(text) > MAX_TOKEN_BYTES:
                raise UnknownToken(f"the token is longer than {MAX_TOKEN_BYTES} bytes")
            raise UnknownToken("the token is of nobody whom this server knows; ask whoever runs it")
        alg, kid = issuer.algorithm(token), issuer.kid(token)
        keys = issuer.keys.find(kid, alg)
        if keys is None:
            return self._fetched(digest, token, issuer)
        return self._keep(digest, issuer.verified(token, keys, self._clock()))

    async def _fetched(self, digest: bytes, token: Jwt, issuer: Issuer) -> Verified:
        keys = await issuer.keys.fetched(issuer.kid(token), issuer.algorithm(token))
        return self._keep(digest, issuer.verified(token, keys, self._clock()))

    def _keep(self, digest: bytes, verified: Verified) -> Verified:
        if self._by_url.get(verified.issuer.entry.url) is verified.issuer:
            self._kept[digest] = verified
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return verified


def _sent(head: Head) -> tuple[bytes, str]:
    """The digest of the token that was sent, and itself. Raises UnknownCredential."""
    sent = head.headers.all("authorization")
    scheme, _, token = sent[0].strip().partition(" ") if len(sent) == 1 else ("", "", "")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise UnknownCredential(f"this server asks for a token; {_HOW}")
    return sha256(token.encode("utf-8", "surrogateescape")).digest(), token


async def _admitted(found: Awaitable[Verified], asking: Asking) -> str:
    verified = await found
    verified.grants.check_right(asking.right)
    return verified.identity


async def _admitted_to(found: Awaitable[Verified], asking: Asking, model: str) -> None:
    verified = await found
    verified.grants.check_model(model, asking.right)
