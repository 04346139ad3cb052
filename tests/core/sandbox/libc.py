"""Functions of the C library that Python does not have."""

from __future__ import annotations

import ctypes
import os


def libc_call(name: str, *arguments: int | bytes) -> None:
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    passed = [a if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments]
    if function(*passed) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
