"""SharedTable: a storage of the library ``limits``, in memory that several processes share.

It is as many buckets of slots as the memory has room for. A key belongs to one bucket, and is there
in any slot. A slot holds two counts, those of the present window of time and of the one before,
which is what ``limits`` calls a sliding window counter.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from hashlib import blake2b
from math import floor
from typing import NoReturn

from limits.storage import SlidingWindowCounterSupport, Storage

from tfaas_core.shared_memory import LockHeld, SharedMemory
from tfaas_plugins.rate_limit.size import BUCKET_BYTES, HEADER_BYTES, SLOT

_SALT_BYTES = 16
_MARK = slice(0, 8)


class SharedTable(Storage, SlidingWindowCounterSupport):
    """Only for sliding window counters. Where a bucket is full, the count that ends first goes.

    ``clock``: seconds, which all processes read alike. Methods raise LockHeld.
    """

    STORAGE_SCHEME = None

    def __init__(self, memory: SharedMemory, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._memory = memory
        self._bytes = memory.bytes
        self._clock = clock
        self._buckets = (len(self._bytes) - HEADER_BYTES) // BUCKET_BYTES
        self._salt = b""

    def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Counts ``amount`` more of ``key``, unless there were more than ``limit`` then."""
        bucket, mark = self._place(key)
        self._memory.lock(bucket)
        try:
            now = self._clock()
            end = (now // expiry + 2) * expiry
            at = self._find(bucket, mark)
            previous, current = self._counts(at, end, expiry)
            if floor(previous * (end - expiry - now) / expiry) + current + amount > limit:
                return False
            if at is None:
                at = self._room(bucket)
            SLOT.pack_into(self._bytes, at, mark, end, previous, current + amount)
            return True
        finally:
            self._memory.unlock(bucket)

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """The counts of the window before and of this one, and how many seconds they count on."""
        bucket, mark = self._place(key)
        self._memory.lock(bucket)
        try:
            now = self._clock()
            end = (now // expiry + 2) * expiry
            previous, current = self._counts(self._find(bucket, mark), end, expiry)
            return previous, end - expiry - now, current, end - now
        finally:
            self._memory.unlock(bucket)

    def _place(self, key: str) -> tuple[int, int]:
        """The bucket of a key, and what marks its slot there: never 0, which marks empty ones."""
        digest = blake2b(key.encode(), digest_size=12, key=self._salt or self._salted()).digest()
        bucket = int.from_bytes(digest[8:], "little") % self._buckets
        return bucket, int.from_bytes(digest[_MARK], "little") or 1

    def _salted(self) -> bytes:
        """What nobody outside knows: who chooses names could fill the bucket of another."""
        self._memory.lock(self._buckets)
        try:
            if not any(self._bytes[:_SALT_BYTES]):
                self._bytes[:_SALT_BYTES] = os.urandom(_SALT_BYTES)
            self._salt = self._bytes[:_SALT_BYTES]
            return self._salt
        finally:
            self._memory.unlock(self._buckets)

    def _find(self, bucket: int, mark: int) -> int | None:
        """Where the slot with this mark is."""
        begin = HEADER_BYTES + bucket * BUCKET_BYTES
        wanted = mark.to_bytes(8, "little")
        at = self._bytes.find(wanted, begin, begin + BUCKET_BYTES)
        while at >= 0 and (at - begin) % SLOT.size:  # amid other numbers
            at = self._bytes.find(wanted, at + 1, begin + BUCKET_BYTES)
        return at if at >= 0 else None

    def _counts(self, at: int | None, end: float, expiry: int) -> tuple[int, int]:
        """The counts in a slot, seen from the window that counts until ``end``."""
        if at is None:
            return 0, 0
        _, its_end, previous, current = SLOT.unpack_from(self._bytes, at)
        if its_end == end:
            return previous, current
        return (current, 0) if its_end == end - expiry else (0, 0)

    def _room(self, bucket: int) -> int:
        """Where a new key goes."""
        begin = HEADER_BYTES + bucket * BUCKET_BYTES
        slots = range(begin, begin + BUCKET_BYTES, SLOT.size)
        return min(slots, key=lambda at: SLOT.unpack_from(self._bytes, at)[1])

    # What nobody asks for here.

    @property
    def base_exceptions(self) -> type[Exception]:
        return LockHeld

    def incr(self, key: str, expiry: int, amount: int = 1) -> NoReturn:
        raise NotImplementedError

    def get(self, key: str) -> NoReturn:
        raise NotImplementedError

    def get_expiry(self, key: str) -> NoReturn:
        raise NotImplementedError

    def clear_sliding_window(self, key: str, expiry: int) -> NoReturn:
        raise NotImplementedError

    def clear(self, key: str) -> NoReturn:
        raise NotImplementedError

    def reset(self) -> NoReturn:
        raise NotImplementedError

    def check(self) -> bool:
        return True
