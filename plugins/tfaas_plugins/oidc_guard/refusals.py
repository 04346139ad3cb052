"""Refusals: what RFC 6750 has clients told about their tokens."""

from __future__ import annotations

from tfaas_core.errors import Forbidden, Unauthorized
from tfaas_core.guard import UnknownCredential


def _challenge(description: str) -> dict[str, str]:
    said = description.replace("\\", "").replace('"', "'")
    return {"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{said}"'}


class InvalidToken(Unauthorized):
    """The token is of a known issuer, and is not to be taken."""

    def headers(self) -> dict[str, str]:
        return _challenge(self.message)


class UnknownToken(UnknownCredential):
    """The token is no JWT of a known issuer."""

    def headers(self) -> dict[str, str]:
        return _challenge(self.message)


class InsufficientScope(Forbidden):
    """The token is good for something else."""

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
