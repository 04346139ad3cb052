"""The size of the table that all HTTP workers count in."""

from __future__ import annotations

import struct

SLOT = struct.Struct("<QdII")
"""Whose it is, as a mark of a key; when it ends; the counts of the window before, and of this
one."""

_SLOTS_OF_BUCKET = 8
HEADER_BYTES = 64
BUCKET_BYTES = _SLOTS_OF_BUCKET * SLOT.size
SIZE_BYTES = HEADER_BYTES + (1 << 17) * BUCKET_BYTES
"""For a million counts: 25 MB."""
