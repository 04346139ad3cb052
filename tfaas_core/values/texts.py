"""Texts: what is long, put together a part at a time."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterable

from tfaas_core.values.pieces import BYTES_AT_ONCE, in_turn, pieces

_ASCII, _LATIN = 0x7F, 0xFF
_WIDER = {0x10FFFF: re.compile("[\U00010000-\U0010ffff]"), 0xFFFF: re.compile("[\u0100-\uffff]")}

# Not ctypes.pythonapi, whose functions others may declare otherwise.
_python = ctypes.PyDLL(None)
_new = _python.PyUnicode_New
_new.restype, _new.argtypes = ctypes.c_void_p, (ctypes.c_ssize_t, ctypes.c_uint32)
_copy = _python.PyUnicode_CopyCharacters
_copy.restype = ctypes.c_ssize_t
_copy.argtypes = (
    *(ctypes.c_void_p, ctypes.c_ssize_t),
    *(ctypes.py_object, ctypes.c_ssize_t, ctypes.c_ssize_t),
)
_release = _python.Py_DecRef
_release.restype, _release.argtypes = None, (ctypes.c_void_p,)


def joined_text(parts: Iterable[str]) -> str:
    """The text that ``parts`` are together.

    ``str.join`` goes through all of it at once, and if one character is an emoji, makes four bytes
    of each other one.
    """
    some = [piece for part in parts for piece in pieces(part, BYTES_AT_ONCE)]
    size = sum(map(len, some))
    if size <= BYTES_AT_ONCE:
        return "".join(some)
    # Only a text that nothing else knows may be written to, so it has no name here until the end.
    address = _new(size, max(map(_highest, in_turn(some))))
    try:
        at = 0
        for part in in_turn(some):
            at += _copy(address, at, part, 0, len(part))
        whole: str = ctypes.cast(address, ctypes.py_object).value
        return whole
    finally:
        _release(address)


def _highest(part: str) -> int:
    """The highest character that fits where those of ``part`` do."""
    if part.isascii():
        return _ASCII
    return next((highest for highest, wider in _WIDER.items() if wider.search(part)), _LATIN)
