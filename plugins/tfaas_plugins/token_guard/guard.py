"""TokenGuard: a guard that knows everybody by a token."""

from __future__ import annotations

import time
from collections.abc import Iterable
from hmac import compare_digest

from tfaas_core.config import Config
from tfaas_core.errors import Unauthorized
from tfaas_core.guard import Asking, Guard, UnknownCredential
from tfaas_plugins.token_guard.holder import Holder, digest_of
from tfaas_plugins.token_guard.table import NAME, holders_of

_HOW = "send it as the header 'Authorization: Bearer TOKEN'"
_ASK = "ask whoever runs this server"
_SHOWN_CHARACTERS = 200


class TokenGuard(Guard):
    """Admits whoever sends the token of one of ``holders``, to what that is good for.

    Who sends none may show the certificate of one. It keeps no token, but digests.
    """

    authenticates = True

    def __init__(self, holders: Iterable[Holder]) -> None:
        self._take(holders)

    def renew(self, config: Config) -> None:
        """Reads the tokens again; if there are none any more, nobody passes."""
        self._take(holders_of(config.settings(NAME), config.base_dir))

    def _take(self, holders: Iterable[Holder]) -> None:
        self._by_name: dict[str, Holder] = {}
        self._by_subject: dict[str, Holder] = {}
        self._digests: list[tuple[bytes, Holder]] = []
        for holder in holders:
            self._by_name[holder.name] = holder
            if isinstance(holder.known_by, str):
                self._by_subject[holder.known_by] = holder
            else:
                self._digests.append((holder.known_by, holder))

    def admit(self, asking: Asking) -> str:
        """The name whose token was sent; raises Unauthorized, UnknownCredential and Forbidden."""
        sent, subject = asking.head.headers.get("authorization", ""), asking.client.subject
        by_subject = self._by_subject.get(subject) if subject and not sent else None
        if subject and not sent and by_subject is None:
            shown = "".join(filter(str.isprintable, subject))[:_SHOWN_CHARACTERS]
            raise UnknownCredential(
                f"no token was sent, and no rights are configured for the certificate {shown!r}; "
                f"{_ASK}, or have a token: {_HOW}"
            )
        holder = by_subject or self._holder_of(sent)
        if holder.expires_s is not None and time.time() >= holder.expires_s:
            what = "certificate's access" if by_subject else "token"
            raise Unauthorized(f"the {what} has expired; {_ASK}")
        holder.check_right(asking.right)
        return holder.name

    def admit_to(self, asking: Asking, identity: str, model: str) -> None:
        """Raises Forbidden unless who asks may go to the model."""
        holder = self._by_name.get(identity)
        if holder is None:  # it was taken away while the body came
            raise Unauthorized(f"the token is not known here any more; {_ASK}")
        holder.check_model(model, asking.right)

    def _holder_of(self, sent: str) -> Holder:
        scheme, _, token = sent.strip().partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise UnknownCredential(f"this server asks for a token; {_HOW}")
        digest = digest_of(token.strip())
        # All are compared, so that the time tells nothing.
        found = [holder for known, holder in self._digests if compare_digest(digest, known)]
        if not found:
            raise UnknownCredential(f"the token is not known here; {_ASK}")
        return found[0]
