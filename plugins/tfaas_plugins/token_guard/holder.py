"""Holder: who has a token or a certificate, and what that is good for."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from tfaas_core.route import Right
from tfaas_plugins.grants import ALL_MODELS, Grant, Grants


class Holder(Grants):
    """``name`` is ``known_by`` a token of this digest, or a certificate of this subject.

    ``models`` are patterns of whole names. After ``expires_s``, in seconds since 1970, it is known
    no more.
    """

    def __init__(
        self,
        name: str,
        known_by: bytes | str,
        rights: frozenset[Right],
        models: Sequence[str] = ALL_MODELS,
        expires_s: float | None = None,
    ) -> None:
        super().__init__(name, [Grant(rights, tuple(models))])
        self.name = name
        self.known_by = known_by
        self.expires_s = expires_s


def digest_of(token: str) -> bytes:
    """What is kept of a token.

    A fast hash does: a token of 256 random bits cannot be guessed, however quickly guesses are
    tried, as a password can; and a slow one would be paid by each request.
    """
    return sha256(token.encode("utf-8", "surrogateescape")).digest()
