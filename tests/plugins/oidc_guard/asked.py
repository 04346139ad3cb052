"""A guard that fetches keys, and what came of a token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfaas_plugins.oidc_guard.guard import OidcGuard
from tfaas_plugins.oidc_guard.issuers import Issuers
from tfaas_plugins.oidc_guard.key_store import KeyStore

from tests.issuer import Signer
from tests.plugins.oidc_guard.guards import admitted, table
from tfaas_core.errors import TfaasError

DISCOVERY = "/.well-known/openid-configuration"


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Asked:
    """A guard that fetches the keys of ``issuer``, and the clock of its pauses."""

    def __init__(self, issuer: Signer, **more: Any) -> None:
        self.clock = Clock()
        issuers = Issuers(self.clock).of_table(table(issuer, **more), Path())
        self.store: KeyStore = issuers[0].keys
        self.guard = OidcGuard(issuers)

    async def outcome(self, token: str) -> str | int:
        """Who asks, or the status."""
        try:
            return await admitted(self.guard, token)
        except TfaasError as error:
            return error.status

    async def fetched(self) -> None:
        """Until nothing is being fetched."""
        if self.store._loading is not None:
            await self.store._loading
