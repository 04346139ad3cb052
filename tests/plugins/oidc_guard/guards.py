"""Guards of one issuer, and what is asked of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from tfaas_plugins.oidc_guard.guard import OidcGuard
from tfaas_plugins.oidc_guard.issuer import Issuer as TrustedIssuer
from tfaas_plugins.oidc_guard.key_store import KeyStore
from tfaas_plugins.oidc_guard.keys import Keys
from tfaas_plugins.oidc_guard.table import NAME, OidcGuardTable

from tests.issuer import AUDIENCE, Signer
from tfaas_core.config import Config
from tfaas_core.guard import Asking
from tfaas_core.route import Right
from tfaas_core.settings.checks import as_table
from tfaas_core.testing.guard import asking_with

EVERYTHING = {
    "all": {"subjects": ["*"], "rights": ["read", "predict", "upload", "delete", "admin"]}
}


def table(issuer: Signer, **more: Any) -> OidcGuardTable:
    """That of the issuer ``lab``; ``more``: further keys of its table, and of the whole, which
    have names that end in ``_s``."""
    entry = {"url": issuer.url, "audiences": [AUDIENCE], "allow_http": True, "rules": EVERYTHING}
    whole = {key: value for key, value in more.items() if key.endswith("_s")}
    entry |= {key: value for key, value in more.items() if key not in whole}
    return as_table({"issuers": {"lab": entry}, **whole}, OidcGuardTable, "$.plugins.oidc_guard")


def guard_of(issuer: Signer, clock: Callable[[], float] = time.time, **more: Any) -> OidcGuard:
    """A guard that has all keys of ``issuer``, and asks for them in no other way."""

    def again(config: Config) -> list[TrustedIssuer]:
        return _trusted(issuer, config.settings(NAME))

    return OidcGuard(_trusted(issuer, table(issuer, **more)), again, clock)


def _trusted(issuer: Signer, configured: OidcGuardTable) -> list[TrustedIssuer]:
    async def keys() -> Keys:
        return Keys.read(issuer.jwks)

    store = KeyStore("lab", keys, configured.refresh_s, Keys.read(issuer.jwks))
    entries = configured.issuers.items()
    return [TrustedIssuer(name, entry, store, configured.leeway_s) for name, entry in entries]


def bearing(token: str, right: Right = "predict", route: str = "/predict/json") -> Asking:
    """What whoever sends ``token`` asks for."""
    return asking_with({"authorization": f"Bearer {token}"}, right, route)


async def admitted(guard: OidcGuard, token: str, right: Right = "predict") -> str:
    """Who asks. Raises what the guard raises."""
    said = guard.admit(bearing(token, right))
    return said if isinstance(said, str) else await said


def identity(guard: OidcGuard, token: str, right: Right = "predict") -> str:
    """The same, in an event loop of its own."""
    return asyncio.run(admitted(guard, token, right))
