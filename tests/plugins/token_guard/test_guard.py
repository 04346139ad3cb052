"""The token guard does what every guard does."""

from __future__ import annotations

from typing import ClassVar

from tfaas_plugins.token_guard.guard import TokenGuard

from tfaas_core.testing.guard import Admitted, GuardContract, Refused, asking_with


def made() -> TokenGuard:
    return TokenGuard({"alice": "alices-token", "bob": "bobs-token"})


def bearing(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


class TestTokenGuard(GuardContract):
    make_guard = staticmethod(made)
    admitted: ClassVar[list[Admitted]] = [
        Admitted(asking_with(bearing("alices-token")), "alice"),
        Admitted(asking_with(bearing("bobs-token"), "admin", "/models", "DELETE"), "bob"),
        Admitted(asking_with({"authorization": "bearer  bobs-token "}), "bob"),
    ]
    refused: ClassVar[list[Refused]] = [
        Refused(asking_with(), 401),
        Refused(asking_with(bearing("")), 401),
        Refused(asking_with(bearing("alices-token-not")), 401),
        Refused(asking_with({"authorization": "Basic YWxpY2U6YWxpY2Vz"}), 401),
        Refused(asking_with({"x-token": "alices-token"}), 401),
    ]
