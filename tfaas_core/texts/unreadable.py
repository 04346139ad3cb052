"""Unreadable: what msgspec raises of bytes that are not what they were taken for."""

from __future__ import annotations

import msgspec

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""They spell something else, or nothing; hold text that is no UTF-8; or are nested too deep."""
