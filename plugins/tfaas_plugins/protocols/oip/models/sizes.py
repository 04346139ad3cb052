"""Where what lies in the memory that the HTTP workers share."""

from __future__ import annotations

DIGEST_BYTES = 16

UNLOADED_SLOTS = 1024
UNLOADED_BYTES = 2 * DIGEST_BYTES
"""Of a slot: digests of a model's name, and of the key of its live version."""

COUNTED_AT = UNLOADED_SLOTS * UNLOADED_BYTES
COUNTED_SLOTS = 2048
COUNTED_BYTES = 128
"""Of a slot: a digest of a version's key, and 14 numbers."""

REGION_BYTES = COUNTED_SLOTS * COUNTED_BYTES
"""Of the slots that one HTTP worker alone writes."""


def memory_bytes(workers: int) -> int:
    """Of all, for so many HTTP workers; what nobody writes to takes no room."""
    return COUNTED_AT + workers * REGION_BYTES
