"""MemoryShare: what one seat takes of the memory that all model processes have."""

from __future__ import annotations

import msgspec

from tfaas_core.engine.in_parent.seat import Seat

NEXT = 0
"""No process has this pid."""


class MemoryShare(msgspec.Struct):
    """What an admitted seat takes. ``is_told``: whether the log says that it is too much.

    ``tried_bytes``: what processes have that try its model before it is loaded, by their pids, and
    at NEXT, what is kept for another one.
    """

    seat: Seat
    size_bytes: int
    is_told: bool = False
    tried_bytes: dict[int, int] = {}

    @property
    def taken_bytes(self) -> int:
        """It is not loaded as long as it is tried."""
        return max(self.size_bytes, sum(self.tried_bytes.values()))
