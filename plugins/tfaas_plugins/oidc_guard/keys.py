"""Keys: an issuer's public keys, as its JWKS has them."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey
from joserfc.jws import JWSRegistry, deserialize_compact

from tfaas_plugins.oidc_guard.jwt import MAX_TOKEN_BYTES

MAX_KEYS = 64
_MOST_TRIED = 8
"""Of a token that does not say which key it was signed with."""

_RSA_BITS = (2048, 8192)
_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
"""What is public of each kind of key, and is all that is taken of one."""

_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "Ed25519": "Ed25519"}


class PublicKey(msgspec.Struct, frozen=True):
    """``kind``: RSA, or the curve. ``alg``: the only one that it is for, if that is told."""

    key: RSAKey | ECKey | OKPKey
    kind: str
    alg: str | None

    def is_for(self, alg: str) -> bool:
        """Whether it may have signed what says that it was signed so."""
        return self.alg in (None, alg) and self.kind == _CURVES.get(alg, "RSA")

    def has_signed(self, token: str, alg: str) -> bool:
        """Whether it has signed the whole of ``token``."""
        registry = _Registry(algorithms=[alg], strict_check_header=False)
        try:
            deserialize_compact(token, self.key, registry=registry)
        except (JoseError, ValueError, TypeError):
            return False
        return True


class _Registry(JWSRegistry):
    max_header_length = max_payload_length = MAX_TOKEN_BYTES
    max_signature_length = 2048


class Keys:
    """All keys of an issuer, by their ids. Two are equal if they are of the same JWKS."""

    def __init__(self, keys: list[tuple[str | None, PublicKey]], said: object) -> None:
        self._keys = tuple(keys)
        self._said = said

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keys) and other._said == self._said

    __hash__ = None  # type: ignore[assignment]

    def of(self, kid: str | None, alg: str) -> list[PublicKey]:
        """Those that may have signed a token with this id in its header; None: it has none."""
        fit = [key for name, key in self._keys if kid in (None, name) and key.is_for(alg)]
        return fit[:_MOST_TRIED]

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Keys:
        """Those of a JWKS that may sign tokens; others are passed over. Raises ValueError."""
        listed = document.get("keys")
        if not isinstance(listed, list):
            raise ValueError("it has no list `keys`")
        found = []
        for jwk in listed[:MAX_KEYS]:
            if (key := _public_key(jwk)) is not None:
                kid = jwk.get("kid")
                found.append((kid if isinstance(kid, str) else None, key))
        if not found:
            raise ValueError("none of its keys can sign tokens here")
        return cls(found, listed)


def _public_key(jwk: object) -> PublicKey | None:
    if not isinstance(jwk, dict):
        return None
    kty, alg = jwk.get("kty"), jwk.get("alg")
    members = _MEMBERS.get(kty) if isinstance(kty, str) else None
    if members is None or not _may_verify(jwk) or not isinstance(alg, str | None):
        return None
    taken = {name: value for name in members if isinstance(value := jwk.get(name), str)}
    if len(taken) < len(members):
        return None
    try:
        if kty == "RSA" and not _RSA_BITS[0] <= _bits(taken["n"]) <= _RSA_BITS[1]:
            return None
        key = JWKRegistry.import_key({"kty": str(kty), **taken})
        key.get_op_key("verify")  # which decodes it
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if not isinstance(key, RSAKey | ECKey | OKPKey):
        return None
    return PublicKey(key, "RSA" if kty == "RSA" else taken["crv"], alg)


def _may_verify(jwk: Mapping[str, Any]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    may = isinstance(operations, list) and "verify" in operations
    return may and jwk.get("use", "sig") == "sig"


def _bits(number: str) -> int:
    padded = number + "=" * (-len(number) % 4)
    return int.from_bytes(urlsafe_b64decode(padded), "big").bit_length()
