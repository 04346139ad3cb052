"""Heads: how lists, maps and bytes begin in MessagePack."""

from __future__ import annotations

from struct import pack

_FEW = 0x10


def list_head(size: int) -> bytes:
    """Of a list of ``size`` items."""
    return _head(size, 0x90, 0xDC)


def map_head(size: int) -> bytes:
    """Of a map of ``size`` keys."""
    return _head(size, 0x80, 0xDE)


def bytes_head(size: int) -> bytes:
    """Of ``size`` bytes, however few."""
    return pack(">BI", 0xC6, size)


def _head(size: int, few: int, tag: int) -> bytes:
    if size < _FEW:
        return bytes([few | size])
    return pack(">BH", tag, size) if size < 1 << 16 else pack(">BI", tag + 1, size)
