"""Quota: how much is stored at most, by all servers that share the storage."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tfaas_core.errors import Busy, DoesNotFit, StorageFull, Unavailable
from tfaas_core.models.model import ModelVersion
from tfaas_core.storage import Claim, Storage
from tfaas_core.uploads.rooms import TURN_LIMIT_S, Reserved, Room

TURN = "tfaas.quota.turn"
"""The name that is claimed while one upload is counted and stored, so that no two are at once."""

AHEAD_BYTES = 4 << 20
"""Of what comes without an announcement, so much is reserved at once, if there is room."""

ANY_BYTES = 2**62
"""No bound."""

_POLL_S = 0.01


class Quota:
    """``max_bytes`` of all versions together, and ``max_models``; 0: no bound.

    What uploads have on the disk before they are stored counts as well, of all processes that stage
    in the same folder. Methods may block.
    """

    def __init__(self, storage: Storage, max_bytes: int = 0, max_models: int = 0) -> None:
        self._storage = storage
        self._max_bytes = max_bytes
        self._max_models = max_models
        self._rooms: dict[Path, Room] = {}

    async def check(self) -> None:
        """Raises StorageFull if nothing more has room."""
        if self._max_bytes:
            await asyncio.to_thread(self._check_bytes, 0)

    def check_name(self, name: str) -> None:
        """Raises DoesNotFit for the one name whose claim would hold up all other uploads."""
        if name == TURN and self.has_bound:
            raise DoesNotFit(
                f"{name!r} cannot name a model: uploads take turns by that name", field="name"
            )

    @property
    def has_bound(self) -> bool:
        """Whether anything has to be counted."""
        return bool(self._max_bytes or self._max_models)

    def reserve(self, staging: Path, size_bytes: int, ahead_bytes: int = 0) -> int:
        """Lets an upload have ``size_bytes`` in ``staging``, and returns how many it may have.

        ``ahead_bytes``: as many more, if they have room. Raises StorageFull if there is none beside
        what is stored, and what others have or may have.
        """
        if not self._max_bytes:
            return ANY_BYTES
        room = self._room(staging)
        if size_bytes > room.reserved.size_bytes:
            try:
                self._reserve_bytes(room, size_bytes + ahead_bytes)
            except StorageFull:
                if not ahead_bytes:
                    raise
                self._reserve_bytes(room, size_bytes)
        return room.reserved.size_bytes

    def settle(self, staging: Path) -> int:
        """Lets an upload have what it has in ``staging`` by now, and returns how much that is.

        Raises StorageFull if it has more than it was let have, and there is no room for that.
        """
        if not self._max_bytes:
            return 0
        files = (path for path in staging.rglob("*") if path.is_file())
        size_bytes = sum(path.stat().st_size for path in files)
        self._reserve_bytes(self._room(staging), size_bytes)
        return size_bytes

    def reserve_name(self, staging: Path, name: str) -> None:
        """Lets an upload become a model of a name that it has claimed. Raises StorageFull."""
        if not self._max_models:
            return
        room = self._room(staging)

        def check(others: list[Reserved]) -> None:
            self._check_models(name, {other.name for other in others if other.name})

        room.reserve(msgspec.structs.replace(room.reserved, name=name), check)

    def release(self, staging: Path) -> None:
        """Gives back what was reserved for an upload."""
        if (room := self._rooms.pop(staging, None)) is not None:
            room.close()

    def commit(
        self, claim: Claim, staging: Path, version: ModelVersion, live: bool = True
    ) -> ModelVersion:
        """As ``Storage.commit``, if the version has room.

        Raises StorageFull if it has not, and Unavailable if too many others are being stored.
        """
        if not self.has_bound:
            return self._storage.commit(claim, staging, version, live)
        if (room := self._rooms.get(staging)) is not None:
            # From now on it may be among what is stored, and counts once.
            stored = _stored_as(msgspec.structs.replace(version, name=claim.name))
            room.reserve(msgspec.structs.replace(room.reserved, stored=stored), _nothing)
        with self._turn():
            if self._max_models:
                self._check_models(claim.name, set())
            if self._max_bytes:
                self._check_bytes(version.size_bytes)
            return self._storage.commit(claim, staging, version, live)

    def _room(self, staging: Path) -> Room:
        return self._rooms.setdefault(staging, Room(staging))

    def _reserve_bytes(self, room: Room, size_bytes: int) -> None:
        def check(others: list[Reserved]) -> None:
            self._check_bytes(size_bytes, others)

        # What is given back has room.
        is_less = size_bytes <= room.reserved.size_bytes
        wanted = msgspec.structs.replace(room.reserved, size_bytes=size_bytes)
        room.reserve(wanted, _nothing if is_less else check)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        end_s = time.monotonic() + TURN_LIMIT_S
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

    def _check_models(self, name: str, arriving: set[str]) -> None:
        stored = {model.name for model in self._storage.list()}
        arriving = arriving - stored
        if name not in stored and len(stored) + len(arriving - {name}) >= self._max_models:
            also = f", {len(arriving)} are being uploaded" if arriving else ""
            raise StorageFull(
                f"{len(stored)} models are stored{also}, and {self._max_models} may be "
                "(models.max_models); delete one",
                model=name,
                expected=self._max_models,
            )

    def _check_bytes(self, more: int, others: list[Reserved] | None = None) -> None:
        versions = [version for model in self._storage.list() for version in model.versions]
        stored = sum(version.size_bytes for version in versions)
        keys = {_stored_as(version) for version in versions}
        arriving = sum(other.size_bytes for other in others or () if other.stored not in keys)
        total = stored + arriving + more
        if total > self._max_bytes or (not more and total >= self._max_bytes):
            parts = [f"the stored versions have {stored} bytes"]
            parts += [f"uploads that are arriving have {arriving}"] if arriving else []
            parts += [f"this one has {more}"] if more else []
            raise StorageFull(
                f"{' and '.join(', '.join(parts).rsplit(', ', 1))}; together they may have "
                f"{self._max_bytes} (storage.quota_bytes); delete one",
                expected=self._max_bytes,
                got=total,
            )


def _stored_as(version: ModelVersion) -> tuple[str, str, str]:
    """What tells a version from all others, but its number, which comes last."""
    return version.name, version.created, version.checksum


def _nothing(_others: list[Reserved]) -> None:
    """Nothing speaks against it."""
