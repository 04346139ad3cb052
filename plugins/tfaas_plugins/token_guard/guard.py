"""TokenGuard: a guard that knows everybody by a token."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest

from tfaas_core.errors import Unauthorized
from tfaas_core.guard import Asking, Guard

_HOW = "send it as the header 'Authorization: Bearer TOKEN'"


class TokenGuard(Guard):
    """Admits whoever sends one of ``tokens``, which are by name. It keeps no token, but digests."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._digests = {name: _digest(token) for name, token in tokens.items()}

    def admit(self, asking: Asking) -> str:
        """The name whose token was sent; raises Unauthorized."""
        scheme, _, token = asking.head.headers.get("authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized(f"this server asks for a token; {_HOW}")
        sent = _digest(token.strip())
        # All are compared, so that the time tells nothing.
        found = [name for name, digest in self._digests.items() if compare_digest(sent, digest)]
        if not found:
            raise Unauthorized(f"the token is not known here; {_HOW}")
        return found[0]


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()
