"""Holder: who has a token or a certificate, and what that is good for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate
from hashlib import sha256

from tfaas_core.errors import Forbidden
from tfaas_core.route import Right


class Holder:
    """``name`` is ``known_by`` a token of this digest, or a certificate of this subject.

    ``models`` are patterns of whole names. After ``expires_s``, in seconds since 1970, it is known
    no more.
    """

    def __init__(
        self,
        name: str,
        known_by: bytes | str,
        rights: frozenset[Right],
        models: Sequence[str] = ("*",),
        expires_s: float | None = None,
    ) -> None:
        self.name = name
        self.known_by = known_by
        self.expires_s = expires_s
        self._rights = rights
        self._models = models
        self._matches = re.compile("|".join(map(translate, models)) or "(?!)").fullmatch

    def check_right(self, right: Right) -> None:
        """Raises Forbidden, which says which right is missing."""
        if right not in self._rights:
            has = ", ".join(sorted(self._rights)) or "none"
            raise Forbidden(
                f"this takes the right '{right}', which {self.name!r} lacks; it has: {has}",
                right=right,
            )

    def check_model(self, model: str, right: Right) -> None:
        """Raises Forbidden unless ``model`` is one of those."""
        if not self._matches(model):
            patterns = ", ".join(self._models) or "none"
            raise Forbidden(
                f"{self.name!r} has the right '{right}' for other models alone: {patterns}",
                right=right,
            )


def digest_of(token: str) -> bytes:
    """What is kept of a token.

    A fast hash does: a token of 256 random bits cannot be guessed, however quickly guesses are
    tried, as a password can; and a slow one would be paid by each request.
    """
    return sha256(token.encode("utf-8", "surrogateescape")).digest()
