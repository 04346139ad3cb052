"""A work for decoders that does what its job says: what a flaw of a library would let in."""

from __future__ import annotations

import ctypes
import mmap
import os
import time

import msgspec

from tests.core.sandbox.attacks import Targets, outcome

WORK = f"{__name__}:work"


def work(job: bytes, data: memoryview, shared: mmap.mmap) -> bytes:
    """``attack NAME``, of which ``data`` has the targets, ``copy``, ``crash``, ``hang``, ``flood``;
    or ``environment``, which tells its names.
    """
    match job.decode().split():
        case ["attack", name]:
            return outcome(name, msgspec.json.decode(bytes(data), type=Targets)).encode()
        case ["copy"]:
            copy = bytes(data)
            shared[: len(copy)] = copy
            return str(len(copy)).encode()
        case ["crash"]:
            ctypes.string_at(0)
        case ["hang"]:
            while True:
                time.sleep(0.01)
        case ["flood"]:
            return bytes(1 << 17)
        case ["environment"]:
            return " ".join(os.environ).encode()
    raise ValueError(job)
