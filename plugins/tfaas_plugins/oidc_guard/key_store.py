"""KeyStore: an issuer's keys, kept, and fetched again when they may have changed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from tfaas_core.errors import Unavailable
from tfaas_plugins.oidc_guard.keys import Keys, PublicKey
from tfaas_plugins.oidc_guard.source import NoKeysError, Source

PAUSE_S = 10.0
"""The least time between two fetches, whatever tokens come."""

_MOST_WAITING = 256
"""Requests that wait for one fetch."""

_SILENT_S = 60.0

_log = logging.getLogger("tfaas_plugins.oidc_guard")


class KeyStore:
    """The keys of the issuer ``name``; ``keys``, if some are known already.

    A token with a known key waits for nothing. One with another key has the keys fetched anew, but
    not more often than every ``PAUSE_S``, and all that wait share one fetch. If it fails, the
    former keys hold. Used in one event loop.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        refresh_s: float,
        keys: Keys | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.generation = 0
        """Another one once the keys have changed: what was verified by others does not hold."""
        self._name, self._source, self._refresh_s = name, source, refresh_s
        self._keys = keys
        self._clock = clock
        self._failure = ""
        self._loading: asyncio.Task[None] | None = None
        self._waiting = 0
        self._quiet_until_s = self._told_until_s = float("-inf")
        self._stale_s = clock() + refresh_s if keys is not None else float("-inf")

    def find(self, kid: str | None, alg: str) -> list[PublicKey] | None:
        """Keys that may have signed a token; None: ``fetched`` may find some.

        Empty if there are none, and it is too early to look again. Raises Unavailable if the issuer
        cannot be asked.
        """
        found = [] if self._keys is None else self._keys.of(kid, alg)
        now_s = self._clock()
        if found:
            self.refresh()
            return found
        if self._loading is not None or now_s >= self._quiet_until_s:
            return None
        if self._failure:
            raise self._away()
        return []

    def refresh(self) -> None:
        """Begins to fetch them again if they are old. Nobody waits for that."""
        if self._clock() >= self._stale_s:
            self.begin()

    async def fetched(self, kid: str | None, alg: str) -> list[PublicKey]:
        """As ``find``, after the fetch that goes on, or a new one."""
        if self._waiting >= _MOST_WAITING:
            raise self._away()
        self._waiting += 1
        try:
            await asyncio.shield(self.begin())
        finally:
            self._waiting -= 1
        found = [] if self._keys is None else self._keys.of(kid, alg)
        if not found and self._failure:
            raise self._away()
        return found

    def begin(self) -> asyncio.Task[None]:
        """Fetches them, unless that goes on already; whatever goes wrong is in the log."""
        if self._loading is None:
            self._loading = asyncio.get_running_loop().create_task(self._load())
        return self._loading

    async def close(self) -> None:
        """Ends a fetch that goes on."""
        if (loading := self._loading) is not None:
            loading.cancel()
            await asyncio.wait([loading])

    async def _load(self) -> None:
        patience_s = PAUSE_S
        try:
            keys = await self._source()
            if keys != self._keys:
                self._keys = keys
                self.generation += 1
            self._failure = ""
            patience_s = max(self._refresh_s, PAUSE_S)
        except NoKeysError as error:
            self._failure = str(error)
            self._tell()
        finally:
            now_s = self._clock()
            self._quiet_until_s, self._stale_s = now_s + PAUSE_S, now_s + patience_s
            self._loading = None

    def _tell(self) -> None:
        now_s = self._clock()
        if now_s >= self._told_until_s:
            self._told_until_s = now_s + _SILENT_S
            kept = "its tokens are a 503" if self._keys is None else "the former ones hold"
            _log.warning(
                "the keys of the issuer %s cannot be had, so %s: %s; told once in %d s",
                *(self._name, kept, self._failure, _SILENT_S),
            )

    def _away(self) -> Unavailable:
        return Unavailable(f"the keys of the issuer {self._name} cannot be had now; try again")
