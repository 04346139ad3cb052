"""Quota: how much is stored at most, by all servers that share the storage."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfaas_core.errors import Busy, DoesNotFit, StorageFull, Unavailable
from tfaas_core.models.model import ModelVersion
from tfaas_core.storage import Claim, Storage

TURN = "tfaas.quota.turn"
"""The name that is claimed while one upload is counted and stored, so that no two are at once."""

_PATIENCE_S = 30.0
_POLL_S = 0.01


class Quota:
    """``max_bytes`` of all versions together, and ``max_models``; 0: no bound."""

    def __init__(self, storage: Storage, max_bytes: int = 0, max_models: int = 0) -> None:
        self._storage = storage
        self._max_bytes = max_bytes
        self._max_models = max_models

    async def check(self) -> None:
        """Raises StorageFull if nothing more has room."""
        if self._max_bytes:
            await asyncio.to_thread(self._check_bytes, 0)

    def check_name(self, name: str) -> None:
        """Raises DoesNotFit for the one name whose claim would hold up all other uploads."""
        if name == TURN and self._has_bound:
            raise DoesNotFit(
                f"{name!r} cannot name a model: uploads take turns by that name", field="name"
            )

    def commit(self, claim: Claim, staging: Path, version: ModelVersion) -> ModelVersion:
        """As ``Storage.commit``, if the version has room; may block.

        Raises StorageFull if it has not, and Unavailable if too many others are being stored.
        """
        if not self._has_bound:
            return self._storage.commit(claim, staging, version)
        with self._turn():
            if self._max_models:
                self._check_models(claim.name)
            if self._max_bytes:
                self._check_bytes(version.size_bytes)
            return self._storage.commit(claim, staging, version)

    @property
    def _has_bound(self) -> bool:
        return bool(self._max_bytes or self._max_models)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        end_s = time.monotonic() + _PATIENCE_S
        while True:
            claimed = self._storage.claim(TURN)
            try:
                claimed.__enter__()
                break
            except Busy:
                if time.monotonic() > end_s:
                    raise Unavailable("other uploads are being stored; try again") from None
                time.sleep(_POLL_S * (1 + random.random()))
        try:
            yield
        finally:
            claimed.__exit__(None, None, None)

    def _check_models(self, name: str) -> None:
        stored = {model.name for model in self._storage.list()}
        if name not in stored and len(stored) >= self._max_models:
            raise StorageFull(
                f"{len(stored)} models are stored, and {self._max_models} may be "
                "(models.max_models); delete one",
                model=name,
                expected=self._max_models,
            )

    def _check_bytes(self, more: int) -> None:
        stored = sum(v.size_bytes for model in self._storage.list() for v in model.versions)
        if stored + more > self._max_bytes or (not more and stored >= self._max_bytes):
            also = f", and this one has {more}" if more else ""
            raise StorageFull(
                f"the stored versions have {stored} bytes{also}; together they may have "
                f"{self._max_bytes} (storage.quota_bytes); delete one",
                expected=self._max_bytes,
                got=stored + more,
            )
