"""TokenGuard: a guard that knows everybody by a token."""

from __future__ import annotations

import time
from collections.abc import Iterable
from hmac import compare_digest

from tfaas_core.errors import Unauthorized
from tfaas_core.guard import Asking, Guard
from tfaas_plugins.token_guard.holder import Holder, digest_of

_HOW = "send it as the header 'Authorization: Bearer TOKEN'"


class TokenGuard(Guard):
    """Admits whoever sends the token of one of ``holders``, to what that is good for.

    It keeps no token, but digests.
    """

    def __init__(self, holders: Iterable[Holder]) -> None:
        self._holders = {holder.name: holder for holder in holders}

    def admit(self, asking: Asking) -> str:
        """The name whose token was sent; raises Unauthorized and Forbidden."""
        scheme, _, token = asking.head.headers.get("authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized(f"this server asks for a token; {_HOW}")
        holder = self._holder_of(token.strip())
        holder.check_right(asking.right)
        return holder.name

    def admit_to(self, asking: Asking, identity: str, model: str) -> None:
        """Raises Forbidden unless the token is good for the model."""
        self._holders[identity].check_model(model, asking.right)

    def _holder_of(self, token: str) -> Holder:
        sent = digest_of(token)
        # All are compared, so that the time tells nothing.
        found = [each for each in self._holders.values() if compare_digest(sent, each.digest)]
        if not found:
            raise Unauthorized(f"the token is not known here; {_HOW}")
        (holder,) = found
        if holder.expires_s is not None and time.time() >= holder.expires_s:
            raise Unauthorized("the token has expired; ask whoever runs this server for a new one")
        return holder
