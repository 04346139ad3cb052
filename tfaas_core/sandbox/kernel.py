"""System calls that Python has no function for."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Mapping
from typing import Any

import msgspec

from tfaas_core.sandbox.calls import CALLS


class Machine(msgspec.Struct, frozen=True):
    """A kind of processor: ``audit`` is how seccomp names it, ``column`` its column in CALLS."""

    audit: int
    column: int


_MACHINES: Mapping[str, Machine] = {
    "x86_64": Machine(0xC000003E, 0),
    "aarch64": Machine(0xC00000B7, 1),
}


def machine() -> Machine | None:
    """The one that this process runs on; None if the sandbox does not know it."""
    return _MACHINES.get(os.uname().machine) if ctypes.sizeof(ctypes.c_void_p) == 8 else None


def call_number(call: str) -> int | None:
    """Of a system call on this machine; None if it has none."""
    here = machine()
    return None if here is None else CALLS[call][here.column]


def system_call(call: str, *arguments: int | bytes) -> int:
    """Its result. Raises OSError. Bytes are passed as a pointer to them."""
    number = call_number(call)
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    return _called("syscall", number, *arguments)


def prctl(what: int, value: int) -> None:
    """Changes something of this process. Raises OSError."""
    _called("prctl", what, value, 0, 0, 0)


def capset(header: bytes, sets: bytes) -> None:
    """Sets the capabilities of this thread. Raises OSError."""
    _called("capset", header, sets)


def _called(function: str, *arguments: int | bytes) -> int:
    """What a function of the C library returns. Each argument is a register of the same size."""
    kept = [_Argument(argument) for argument in arguments]
    result: int = _FUNCTIONS[function](*[ctypes.c_void_p(argument.register) for argument in kept])
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


class _Argument:
    def __init__(self, value: int | bytes) -> None:
        if isinstance(value, bytes):
            self._memory = ctypes.create_string_buffer(value, len(value))
            value = ctypes.addressof(self._memory)
        self.register = value


_libc = ctypes.CDLL(None, use_errno=True)
_FUNCTIONS: Mapping[str, Any] = {
    "syscall": _libc.syscall,
    "prctl": _libc.prctl,
    "capset": _libc.capset,
}
# The others return an int.
_libc.syscall.restype = ctypes.c_long
